using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace TaskQueue.Engine.Storage;

/// <summary>Reads what each database keeps in its own way.</summary>
internal static class StoredValue
{
    /// <summary>A time, in UTC. SQLite has an integer of microseconds, SQL Server a datetime2 of no zone.</summary>
    public static DateTime Time(DbDataReader reader, int ordinal) => reader switch
    {
        NpgsqlDataReader => reader.GetDateTime(ordinal),
        SqliteDataReader => Micros.ToTime(reader.GetInt64(ordinal)),
        _ => DateTime.SpecifyKind(reader.GetDateTime(ordinal), DateTimeKind.Utc),
    };

    /// <summary>An id. SQL Server has its sixteen bytes, the first one first, so that it orders them as everybody else does.</summary>
    public static Guid Id(DbDataReader reader, int ordinal) =>
        reader is NpgsqlDataReader or SqliteDataReader ? reader.GetGuid(ordinal) : new Guid(reader.GetFieldValue<byte[]>(ordinal), bigEndian: true);
}
