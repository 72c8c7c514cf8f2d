namespace TaskQueue.Engine.Files;

/// <summary>A row of table <c>files</c>: a file uploaded by a caller or written by a batch. Its content is on disk or in chunks.</summary>
public sealed class FileRecord
{
    /// <summary>Unique id, <c>file-…</c>.</summary>
    public string Id { get; set; } = "";

    /// <summary>Name of the key that created it, the only one that sees it; null if none was configured.</summary>
    public string? Owner { get; set; }

    /// <summary>Purpose of the file, such as <c>batch</c>.</summary>
    public string Purpose { get; set; } = "";

    /// <summary>File name given at the upload; not unique.</summary>
    public string FileName { get; set; } = "";

    /// <summary>Length of the content in bytes.</summary>
    public long Bytes { get; set; }

    /// <summary>When the upload began, UTC.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>When it is deleted, UTC; null: not by itself.</summary>
    public DateTime? ExpiresAt { get; set; }

    /// <summary>Identifies the request that created it, so that the same request repeated creates nothing; null: it has no key.</summary>
    public string? RequestKey { get; set; }

    /// <summary>Whether the content is complete; until then the file is invisible.</summary>
    public bool Ready { get; set; }
}

/// <summary>A row of table <c>file_chunks</c>: a part of a file's content that is stored in the database.</summary>
public sealed class FileChunk
{
    /// <summary>The file.</summary>
    public string FileId { get; set; } = "";

    /// <summary>Index from 0; all chunks but the last have the same length.</summary>
    public int Number { get; set; }

    /// <summary>The bytes.</summary>
    public byte[] Data { get; set; } = [];
}
