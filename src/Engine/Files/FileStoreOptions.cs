using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Files;

/// <summary>Where file contents are stored.</summary>
public enum FileStoreKind
{
    /// <summary>On disk beside a SQLite file, which serves one process; otherwise in the database, which all processes share.</summary>
    Auto,

    /// <summary>In a folder, which all processes must share.</summary>
    Disk,

    /// <summary>In the database.</summary>
    Database,

    /// <summary>In a bucket of Amazon S3 or of a server with the same API, which all processes share.</summary>
    S3,
}

/// <summary>Section <c>TaskQueue:Files</c>.</summary>
public sealed class FileStoreOptions
{
    private const string DefaultName = "taskqueue-files";

    /// <summary>Where file contents are stored.</summary>
    [EnumDataType(typeof(FileStoreKind), ErrorMessage = "TaskQueue:Files:Store must be auto, disk, database or s3")]
    public FileStoreKind Store { get; set; }

    /// <summary>Folder of contents on disk. Each database needs its own: contents unknown to the database are removed.</summary>
    /// <value>Null: beside a SQLite file and named after it, such as <c>taskqueue-files</c> for <c>taskqueue.db</c>.</value>
    public string? Path { get; set; }

    /// <summary>Maximum upload in bytes.</summary>
    /// <value>512 MiB (bella.md 11).</value>
    [Range(1, 100L * 1024 * 1024 * 1024, ErrorMessage = "TaskQueue:Files:MaxBytes must be 1 to 107374182400")]
    public long MaxBytes { get; set; } = 512L * 1024 * 1024;

    internal FileStoreKind KindFor(LocalDatabaseFolder local) =>
        Store != FileStoreKind.Auto ? Store : local.Path is null ? FileStoreKind.Database : FileStoreKind.Disk;

    internal string FolderOf(LocalDatabaseFolder local) => !string.IsNullOrEmpty(Path) ? Path : local.Path ?? DefaultName;
}
