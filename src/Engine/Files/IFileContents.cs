namespace TaskQueue.Engine.Files;

/// <summary>Where the bytes of files lie. The row of a file is there before its content, and goes after it.</summary>
public interface IFileContents
{
    /// <summary>A stream to write the content of a new file to; disposed, everything is stored.</summary>
    Stream OpenWrite(string id);

    /// <summary>The content of a complete file, which can be sought.</summary>
    Stream OpenRead(FileRecord file);

    /// <summary>Removes what there is of the content of a file.</summary>
    Task DeleteAsync(string id);

    /// <summary>The ids of contents that were written before a time, where they may have lost their rows.</summary>
    IEnumerable<string> Before(DateTime time);
}
