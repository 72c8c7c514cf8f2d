namespace TaskQueue.Storage.Search;

/// <summary>A task and its place in a search.</summary>
internal sealed class SearchKey
{
    /// <summary>The id under which it is listed.</summary>
    public required Guid ListedAs { get; init; }

    public required Guid Id { get; init; }
}
