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
    private const int Locked = 11, LockedOnMac = 35, LockedOnWindows = unchecked((int)0x80070020);

    private FileStream? _file;

    /// <summary>Takes the lock; does nothing for other databases.</summary>
    /// <exception cref="StartupException">Another server holds it, or the file cannot be created.</exception>
    public void Take(DatabaseAddress database)
    {
        if (_file is not null || database.Provider != DatabaseProvider.Sqlite || PathOf(database.ConnectionString) is not { } path)
            return;
        try
        {
            path = TargetOf(path);
            _file = new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException fault) when (IsLocked(fault))
        {
            throw new StartupException($"{database} is in use by another server; a SQLite file serves one process. Stop the other one, or "
                + $"use another file or PostgreSQL (ConnectionStrings:TaskQueue). The lock is {path}.lock");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"cannot use {database}: {fault.Message} ({StartupChecks.Hint(fault)})");
        }
    }

    public void Dispose() => _file?.Dispose();

    private static bool IsLocked(IOException fault) =>
        fault.HResult == (OperatingSystem.IsWindows() ? LockedOnWindows : OperatingSystem.IsMacOS() ? LockedOnMac : Locked);

    /// <summary>The file of the database; null if it is in memory.</summary>
    private static string? PathOf(string connectionString)
    {
        var parts = new SqliteConnectionStringBuilder(connectionString);
        var path = parts.DataSource.StartsWith("file:", StringComparison.OrdinalIgnoreCase) ? PathOfUri(parts.DataSource[5..])
            : parts.DataSource;
        return parts.Mode == SqliteOpenMode.Memory || path is "" or ":memory:" ? null : Path.GetFullPath(path);
    }

    /// <summary>The path of a URI as SQLite reads it: with an empty host, if any. Empty if it is in memory.</summary>
    private static string PathOfUri(string uri)
    {
        var parts = uri.Split('#')[0].Split('?', 2);
        if (parts is [_, var query] && query.Split('&').Any(option => option is "mode=memory" or "vfs=memdb"))
            return "";
        var path = parts[0];
        if (path.StartsWith("//", StringComparison.Ordinal))
            path = path.IndexOf('/', 2) is > 0 and var root ? path[root..] : "";
        path = Uri.UnescapeDataString(path);
        return OperatingSystem.IsWindows() && path is ['/', _, ':', ..] ? path[1..] : path;
    }

    /// <summary>Every name of a file leads to the same lock.</summary>
    private static string TargetOf(string path) =>
        new FileInfo(path).LinkTarget is null ? path : File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
}
