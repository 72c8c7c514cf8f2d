using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Files;

/// <summary>The rows of files; <see cref="IFileContents"/> holds their bytes. Times are UTC.</summary>
public interface IFileStore
{
    /// <summary>Finds a complete file that has not expired; null if there is none that the caller may see.</summary>
    Task<FileRecord?> FindAsync(string id, Access access, DateTime now, CancellationToken cancellationToken);

    /// <summary>The complete file of a request that has not expired; null if there is none.</summary>
    Task<FileRecord?> FindByRequestAsync(string requestKey, DateTime now, CancellationToken cancellationToken);

    /// <summary>Lists complete files that the caller may see, by creation time, then id.</summary>
    /// <param name="filter">Which files.</param>
    /// <param name="after">Only files after this one; null starts from the beginning.</param>
    /// <param name="max">Maximum number of files.</param>
    /// <param name="newestFirst">Sort direction.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    Task<List<FileRecord>> ListAsync(FileFilter filter, FileRecord? after, int max, bool newestFirst, CancellationToken cancellationToken);

    /// <summary>Adds the row of a file whose upload begins.</summary>
    /// <returns>False if the id is taken; nothing was added.</returns>
    Task<bool> TryAddAsync(FileRecord file);

    /// <summary>Makes an incomplete file complete and visible, and stores its length, purpose, expiry and request.</summary>
    /// <returns>False if there is no such incomplete file, or another file of the same request is complete.</returns>
    Task<bool> ShowAsync(FileRecord file);

    /// <summary>Makes a file incomplete again, so that no caller sees it. Idempotent.</summary>
    Task HideAsync(string id);

    /// <summary>Deletes the row of a file, complete or not. Idempotent.</summary>
    Task DeleteAsync(string id);

    /// <summary>Ids of at most 100 incomplete files created before a time, oldest first.</summary>
    Task<List<string>> ListIncompleteAsync(DateTime before);

    /// <summary>Ids of at most 100 complete files whose time is over.</summary>
    Task<List<string>> ListExpiredAsync(DateTime now);

    /// <summary>The subset of the ids that have a row, complete or not.</summary>
    Task<List<string>> FilterKnownAsync(IReadOnlyCollection<string> ids);
}

/// <summary>Selects files.</summary>
/// <param name="Access">The caller's access.</param>
/// <param name="Purposes">Only files with these purposes; null is all.</param>
/// <param name="Now">Files that expire until then are left out.</param>
public sealed record FileFilter(Access Access, IReadOnlyList<string>? Purposes, DateTime Now);
