namespace TaskQueue.Engine.Files;

/// <summary>Storage of file contents. The row of a file is written before its content and deleted after it.</summary>
public interface IFileContents
{
    /// <summary>Opens a stream to write the content of a new file; disposing it stores everything.</summary>
    Stream OpenWrite(string id);

    /// <summary>Opens the content of a complete file as a seekable stream.</summary>
    Stream OpenRead(FileRecord file);

    /// <summary>Removes the content of a file, if any.</summary>
    Task DeleteAsync(string id);

    /// <summary>Ids of contents written before a time, whose rows may be missing.</summary>
    IEnumerable<string> Before(DateTime time);
}
