namespace TaskQueue.Engine.Files;

/// <summary>
/// A row of table <c>files</c>: a file that somebody uploaded, or that a batch wrote. Its content lies on disk or in chunks.
/// </summary>
public sealed class FileRecord
{
    /// <summary><c>file-…</c>, unique.</summary>
    public string Id { get; set; } = "";

    /// <summary>Name of the key that it was made with, the only one that sees it; null where none were configured.</summary>
    public string? Owner { get; set; }

    /// <summary>What it is for, such as <c>batch</c>.</summary>
    public string Purpose { get; set; } = "";

    /// <summary>Name given at the upload; need not be unique.</summary>
    public string FileName { get; set; } = "";

    /// <summary>Length of the content.</summary>
    public long Bytes { get; set; }

    /// <summary>When the upload began, UTC.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>Whether the content is complete; until then nobody sees the file.</summary>
    public bool Ready { get; set; }
}

/// <summary>A row of table <c>file_chunks</c>: a part of the content of a file, where the database holds it.</summary>
public sealed class FileChunk
{
    /// <summary>The file.</summary>
    public string FileId { get; set; } = "";

    /// <summary>From 0; all chunks but the last have the same length.</summary>
    public int Number { get; set; }

    /// <summary>The bytes.</summary>
    public byte[] Data { get; set; } = [];
}
