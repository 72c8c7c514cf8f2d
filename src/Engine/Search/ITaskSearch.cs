using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Search;

/// <summary>Searches tasks, newest first. What a page costs is bounded, however many tasks there are: see docs/search.md.</summary>
public interface ITaskSearch
{
    /// <summary>Reads a page.</summary>
    /// <param name="search">What to look for.</param>
    /// <param name="page">Which page.</param>
    /// <param name="access">What the caller may see.</param>
    /// <param name="reserve">Reserves memory for the texts of a page.</param>
    /// <param name="cancellationToken">Stops the search.</param>
    /// <exception cref="InvalidSearchException">Tasks cannot be searched for that.</exception>
    Task<TaskSearchPage> SearchAsync(
        TaskSearch search, SearchPaging page, Access access, ReserveAnswer reserve, CancellationToken cancellationToken);

    /// <summary>Lists ids page by page, without reading the tasks; pages may be empty before the last.</summary>
    /// <param name="search">What to look for.</param>
    /// <param name="from">Where to continue; null is the beginning.</param>
    /// <param name="max">Most ids of the page.</param>
    /// <param name="access">What the caller may see.</param>
    /// <param name="cancellationToken">Stops the search.</param>
    /// <exception cref="InvalidSearchException">Tasks cannot be searched for that.</exception>
    Task<TaskSearchIds> FindIdsAsync(TaskSearch search, SearchCursor? from, int max, Access access, CancellationToken cancellationToken);
}

/// <summary>Which page of a search, and what it shows.</summary>
/// <param name="From">Where to continue; null is the beginning.</param>
/// <param name="Max">Most tasks of the page.</param>
/// <param name="Payloads">Whether tasks are read with their payload, for redaction.</param>
public sealed record SearchPaging(SearchCursor? From, int Max, bool Payloads = false);

/// <summary>A page of a search.</summary>
/// <param name="Tasks">The tasks found, newest first; there may be none although there is a next page.</param>
/// <param name="Next">Where the next page starts; null if there is none.</param>
/// <param name="Total">How many there are in all.</param>
public sealed record TaskSearchPage(IReadOnlyList<FoundTask> Tasks, SearchCursor? Next, SearchTotal Total);

/// <summary>A page of ids: see <see cref="TaskSearchPage"/>.</summary>
/// <param name="Ids">The ids of the tasks found.</param>
/// <param name="ListedAs">The ids under which they are listed: where a search can continue after each.</param>
/// <param name="Next">Where the next page starts; null if there is none.</param>
/// <param name="Total">How many there are in all.</param>
public sealed record TaskSearchIds(IReadOnlyList<Guid> Ids, IReadOnlyList<Guid> ListedAs, SearchCursor? Next, SearchTotal Total);

/// <summary>A task without result and headers, and without payload unless asked for.</summary>
/// <param name="Task">The task.</param>
/// <param name="Schedule">Name of the schedule that submitted it; null if there is none, or it is deleted.</param>
public sealed record FoundTask(TaskState Task, string? Schedule);

/// <summary>The number of tasks that a search finds.</summary>
/// <param name="Count">The number.</param>
/// <param name="Exact">Whether they were counted; else it is estimated from those that were.</param>
public sealed record SearchTotal(long Count, bool Exact)
{
    /// <summary>Tasks are counted up to this number.</summary>
    public const int MostCounted = 1000;
}

/// <summary>A search cannot be answered.</summary>
public sealed class InvalidSearchException(string message) : Exception(message);
