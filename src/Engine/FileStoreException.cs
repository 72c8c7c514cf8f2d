namespace TaskQueue.Engine;

/// <summary>The folder of files cannot be read or written, for example because its disk is full: a retry may succeed.</summary>
public sealed class FileStoreException(Exception inner) : Exception($"the file store fails: {inner?.Message}", inner)
{
    /// <summary>Whether an exception comes from a disk: not from the database, and not because one file is missing.</summary>
    public static bool IsOfDisk(Exception fault) => fault is UnauthorizedAccessException or (IOException and not FileNotFoundException);
}
