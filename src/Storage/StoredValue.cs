using System.Data.Common;
using TaskQueue.Engine;

namespace TaskQueue.Storage;

/// <summary>Reads what each database keeps in its own way.</summary>
internal static class StoredValue
{
    /// <summary>A time, in UTC. SQLite has an integer of microseconds, SQL Server a datetime2 of no zone.</summary>
    public static DateTime Time(DbDataReader reader, int ordinal) =>
        reader.GetFieldType(ordinal) == typeof(long) ? Micros.ToTime(reader.GetInt64(ordinal))
            : DateTime.SpecifyKind(reader.GetDateTime(ordinal), DateTimeKind.Utc);

    /// <summary>An id. SQL Server has its sixteen bytes, the first one first, so that it orders them as the others do.</summary>
    public static Guid Id(DbDataReader reader, int ordinal) =>
        reader.GetFieldType(ordinal) == typeof(byte[]) ? new Guid(reader.GetFieldValue<byte[]>(ordinal), bigEndian: true)
            : reader.GetGuid(ordinal);
}
