using Microsoft.Data.Sqlite;
using TaskQueue.Engine;
using TaskQueue.Storage;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// Keeps a SQLite file to one server: a second one would hand out the same tasks again. The lock is the operating system's and ends with
/// the process; the file beside the database stays.
/// </summary>
internal sealed class SqliteLock : IDisposable
{
    private FileStream? _file;

    /// <summary>Takes the lock; does nothing for other databases.</summary>
    /// <exception cref="StartupException">Another server holds it, or the folder cannot be written to.</exception>
    public void Take(DatabaseAddress database)
    {
        if (_file is not null || database.Provider != DatabaseProvider.Sqlite || PathOf(database.ConnectionString) is not { } path)
            return;
        try
        {
            _file = new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception fault) when (fault is UnauthorizedAccessException or DirectoryNotFoundException or PathTooLongException)
        {
            throw new StartupException($"cannot use {database}: {fault.Message} (the folder must exist and be writable)");
        }
        catch (IOException)
        {
            throw new StartupException($"{database} is in use by another server; a SQLite file serves one process. Stop the other one, or "
                + $"use another file or PostgreSQL (ConnectionStrings:TaskQueue). The lock is {path}.lock");
        }
    }

    public void Dispose() => _file?.Dispose();

    /// <summary>The file of the database; null if it is in memory.</summary>
    private static string? PathOf(string connectionString)
    {
        var parts = new SqliteConnectionStringBuilder(connectionString);
        return parts.Mode == SqliteOpenMode.Memory || parts.DataSource is "" or ":memory:"
            || parts.DataSource.StartsWith("file:", StringComparison.OrdinalIgnoreCase) ? null : Path.GetFullPath(parts.DataSource);
    }
}
