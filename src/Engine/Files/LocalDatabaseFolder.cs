namespace TaskQueue.Engine.Files;

/// <summary>The default folder of file contents, where the database is a local file that serves one process.</summary>
/// <param name="Path">Beside the database and named after it; null where the database is a server.</param>
public sealed record LocalDatabaseFolder(string? Path);
