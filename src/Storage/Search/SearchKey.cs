using System.Linq.Expressions;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Search;

/// <summary>A task and its place in a search.</summary>
internal sealed class SearchKey
{
    /// <summary>Selects it.</summary>
    public static readonly Expression<Func<TaskState, SearchKey>> Of = t => new SearchKey
    {
        ListedAs = t.ListedAs ?? t.CorrelationId,
        Id = t.CorrelationId,
    };

    /// <summary>The id under which it is listed.</summary>
    public required Guid ListedAs { get; init; }

    public required Guid Id { get; init; }
}
