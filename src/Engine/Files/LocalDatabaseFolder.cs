namespace TaskQueue.Engine.Files;

/// <summary>Default folder of file contents for a database that is a local file serving one process.</summary>
/// <param name="Path">Beside the database and named after it; null if the database is a server.</param>
public sealed record LocalDatabaseFolder(string? Path);
