using System.Data.Common;
using TaskQueue.Engine;

namespace TaskQueue.Storage;

/// <summary>Reads values whose stored form differs between databases.</summary>
internal static class StoredValue
{
    /// <summary>Reads a time in UTC. SQLite stores an integer of microseconds, SQL Server a datetime2 without zone.</summary>
    public static DateTime Time(DbDataReader reader, int ordinal) =>
        reader.GetFieldType(ordinal) == typeof(long) ? Micros.ToTime(reader.GetInt64(ordinal))
            : DateTime.SpecifyKind(reader.GetDateTime(ordinal), DateTimeKind.Utc);

    /// <summary>Reads an id. SQL Server stores its sixteen bytes in big-endian order, so that it sorts them like the others.</summary>
    public static Guid Id(DbDataReader reader, int ordinal) =>
        reader.GetFieldType(ordinal) == typeof(byte[]) ? new Guid(reader.GetFieldValue<byte[]>(ordinal), bigEndian: true)
            : reader.GetGuid(ordinal);
}
