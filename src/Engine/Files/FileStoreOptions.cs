using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Files;

/// <summary>Where the contents of files lie.</summary>
public enum FileStoreKind
{
    /// <summary>On disk beside a SQLite file, which serves one process; else in the database, which all processes share.</summary>
    Auto,

    /// <summary>In a folder; several processes must share it.</summary>
    Disk,

    /// <summary>In the database.</summary>
    Database,
}

/// <summary>Section <c>TaskQueue:Files</c>.</summary>
public sealed class FileStoreOptions
{
    /// <summary>Where contents lie.</summary>
    public FileStoreKind Store { get; set; }

    /// <summary>The folder of contents on disk.</summary>
    [Required]
    public string Path { get; set; } = "taskqueue-files";

    /// <summary>Largest upload in bytes.</summary>
    /// <value>512 MiB (bella.md 11).</value>
    [Range(1, 100L * 1024 * 1024 * 1024)]
    public long MaxBytes { get; set; } = 512L * 1024 * 1024;
}
