using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Files;

/// <summary>The rows of files; <see cref="IFileContents"/> holds their bytes. Times are UTC.</summary>
public interface IFileStore
{
    /// <summary>A complete file; null where there is none that the caller may see.</summary>
    Task<FileRecord?> FindAsync(string id, Access access, CancellationToken cancellationToken);

    /// <summary>Complete files that the caller may see, by creation time, then id.</summary>
    /// <param name="access">The caller.</param>
    /// <param name="purposes">Only files of these; null is all.</param>
    /// <param name="after">Only files behind this one in the order; null is from the start.</param>
    /// <param name="max">Maximum number of files.</param>
    /// <param name="newestFirst">The order.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    Task<List<FileRecord>> ListAsync(Access access, IReadOnlyList<string>? purposes, FileRecord? after, int max, bool newestFirst,
        CancellationToken cancellationToken);

    /// <summary>Adds the row of a file whose upload begins.</summary>
    /// <returns>False where another file has its id; nothing was added then.</returns>
    Task<bool> TryAddAsync(FileRecord file);

    /// <summary>Makes an incomplete file complete and visible, and stores its length and purpose.</summary>
    /// <returns>False where there is no such incomplete file.</returns>
    Task<bool> ShowAsync(FileRecord file);

    /// <summary>Makes a file incomplete again, so that no caller sees it. Idempotent.</summary>
    Task HideAsync(string id);

    /// <summary>Deletes the row of a file, complete or not. Idempotent.</summary>
    Task DeleteAsync(string id);

    /// <summary>The ids of at most 100 incomplete files that were created before a time, oldest first.</summary>
    Task<List<string>> ListIncompleteAsync(DateTime before);

    /// <summary>Those of the ids that have a row, complete or not.</summary>
    Task<List<string>> FilterKnownAsync(IReadOnlyCollection<string> ids);
}
