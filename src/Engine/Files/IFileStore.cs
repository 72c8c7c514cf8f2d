using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Files;

/// <summary>The rows of files; <see cref="IFileContents"/> holds their bytes. Times are UTC.</summary>
public interface IFileStore
{
    /// <summary>Finds a complete file; null if there is none that the caller may see.</summary>
    Task<FileRecord?> FindAsync(string id, Access access, CancellationToken cancellationToken);

    /// <summary>Lists complete files that the caller may see, by creation time, then id.</summary>
    /// <param name="access">The caller's access.</param>
    /// <param name="purposes">Only files with these purposes; null is all.</param>
    /// <param name="after">Only files after this one; null starts from the beginning.</param>
    /// <param name="max">Maximum number of files.</param>
    /// <param name="newestFirst">Sort direction.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    Task<List<FileRecord>> ListAsync(Access access, IReadOnlyList<string>? purposes, FileRecord? after, int max, bool newestFirst,
        CancellationToken cancellationToken);

    /// <summary>Adds the row of a file whose upload begins.</summary>
    /// <returns>False if the id is taken; nothing was added.</returns>
    Task<bool> TryAddAsync(FileRecord file);

    /// <summary>Makes an incomplete file complete and visible, and stores its length and purpose.</summary>
    /// <returns>False if there is no such incomplete file.</returns>
    Task<bool> ShowAsync(FileRecord file);

    /// <summary>Makes a file incomplete again, so that no caller sees it. Idempotent.</summary>
    Task HideAsync(string id);

    /// <summary>Deletes the row of a file, complete or not. Idempotent.</summary>
    Task DeleteAsync(string id);

    /// <summary>Ids of at most 100 incomplete files created before a time, oldest first.</summary>
    Task<List<string>> ListIncompleteAsync(DateTime before);

    /// <summary>The subset of the ids that have a row, complete or not.</summary>
    Task<List<string>> FilterKnownAsync(IReadOnlyCollection<string> ids);
}
