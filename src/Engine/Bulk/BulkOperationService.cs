using Microsoft.Extensions.Options;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Bulk;

/// <summary>An operation to create.</summary>
/// <param name="Action">What it does.</param>
/// <param name="Selection">Its tasks.</param>
/// <param name="TargetQueue">The queue to which it moves tasks.</param>
/// <param name="Patch">The <see cref="JsonPatch"/> that changes payloads.</param>
/// <param name="Rate">Most tasks a second; null is as fast as possible.</param>
public sealed record NewBulkOperation(BulkAction Action, BulkSelection Selection, string? TargetQueue, string? Patch, double? Rate);

/// <summary>The tasks that an operation would look at.</summary>
/// <param name="Total">Their number.</param>
/// <param name="Samples">Some of them.</param>
public sealed record BulkPreview(SearchTotal Total, IReadOnlyList<Guid> Samples);

/// <summary>Creates operations, and pauses, resumes, cancels and undoes them. A scheduler carries them out.</summary>
public sealed class BulkOperationService(
    IBulkOperationStore store, ITaskSearch search, ITaskQueries queries, IOptions<BulkOperationOptions> options, TimeProvider time)
{
    private const int Samples = 10;

    /// <summary>Pages that are searched for the first sample.</summary>
    private const int MorePages = 10;

    /// <summary>States in which an operation changes tasks.</summary>
    private static readonly BulkState[] Active = [BulkState.Planned, BulkState.Running, BulkState.Undoing];

    /// <summary>Finds the tasks that an operation would look at, and changes nothing.</summary>
    /// <exception cref="InvalidSearchException">Tasks cannot be searched for that.</exception>
    public async Task<BulkPreview> PreviewAsync(NewBulkOperation operation, Access access, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(operation);
        return await FindAsync(operation, Narrow(operation), access, cancellationToken);
    }

    /// <summary>Creates an operation.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="access">What its creator may change.</param>
    /// <param name="creator">Name of its creator.</param>
    /// <param name="cancellationToken">Cancels the creation.</param>
    /// <returns>The operation; null if the tenant has too many that have not ended.</returns>
    /// <exception cref="InvalidSearchException">Tasks cannot be searched for that.</exception>
    public async Task<BulkOperation?> CreateAsync(
        NewBulkOperation operation, Access access, string? creator, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(operation);
        ArgumentNullException.ThrowIfNull(access);
        var now = Micros.Now(time);
        var selection = Narrow(operation);
        var found = selection.Ids is { } ids ? new SearchTotal(ids.Count, Exact: true)
            : (await FindAsync(operation, selection, access, cancellationToken)).Total;
        var row = new BulkOperation
        {
            Id = TaskId.New(time),
            Owner = access.Tenant,
            Queue = selection.Search?.Queue ?? "",
            CreatedBy = creator,
            Credential = access.Credential,
            Access = BulkAccess.ToText(access),
            Action = operation.Action,
            Selection = selection.ToText(),
            TargetQueue = operation.TargetQueue,
            Patch = operation.Patch,
            Rate = operation.Rate,
            Total = found.Count,
            TotalIsExact = found.Exact,
            CreatedAt = now,
            DueAt = now,
        };
        return await store.AddAsync(row, options.Value.MaxUnfinishedPerTenant, cancellationToken) ? row : null;
    }

    /// <summary>Pauses an operation between two steps.</summary>
    /// <returns>Whether its state permits it.</returns>
    public Task<bool> PauseAsync(BulkOperation operation, CancellationToken cancellationToken) =>
        ChangeAsync(operation, Active, BulkState.Paused, null, cancellationToken);

    /// <summary>Continues a paused operation.</summary>
    /// <returns>Whether its state permits it.</returns>
    public Task<bool> ResumeAsync(BulkOperation operation, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(operation);
        return ChangeAsync(
            operation, [BulkState.Paused], operation.IsUndo ? BulkState.Undoing : BulkState.Running, null, cancellationToken);
    }

    /// <summary>Ends an operation; what it has done stays.</summary>
    /// <returns>Whether its state permits it.</returns>
    public Task<bool> CancelAsync(BulkOperation operation, CancellationToken cancellationToken) =>
        ChangeAsync(operation, [.. Active, BulkState.Paused], BulkState.Cancelled, null, cancellationToken);

    /// <summary>Begins to put back what an ended operation has changed, as far as the caller may.</summary>
    /// <returns>Whether its state permits it.</returns>
    public async Task<bool> UndoAsync(BulkOperation operation, Access access, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(operation);
        return operation.CanUndo && await ChangeAsync(operation, [BulkState.Completed, BulkState.Cancelled], BulkState.Undoing,
            BulkAccess.ToText(access), cancellationToken);
    }

    private Task<bool> ChangeAsync(
        BulkOperation operation, IReadOnlyList<BulkState> from, BulkState to, string? undoAs, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(operation);
        return store.ChangeAsync(operation.Id, from, to, Micros.Now(time), undoAs, cancellationToken);
    }

    /// <summary>Tasks that the action can change.</summary>
    private static BulkSelection Narrow(NewBulkOperation operation)
    {
        if (operation.Selection.Search is not { } wanted)
            return operation.Selection with { Ids = [.. operation.Selection.Ids!.Distinct()] };
        var possible = BulkRules.Narrow(wanted, operation.Action)
            ?? throw new InvalidSearchException($"{operation.Action.ToString().ToLowerInvariant()} changes only tasks that are "
                + $"{string.Join(", ", BulkRules.StatesOf(operation.Action).Select(TaskStates.Word))}, and state excludes them");
        return new BulkSelection { Search = possible };
    }

    private async Task<BulkPreview> FindAsync(
        NewBulkOperation operation, BulkSelection selection, Access access, CancellationToken cancellationToken)
    {
        if (selection.Search is { } wanted)
        {
            var page = await search.FindIdsAsync(wanted, null, Samples, access, cancellationToken);
            for (var more = 0; more < MorePages && page is { Ids.Count: 0, Next: { } next }; more++)
                page = await search.FindIdsAsync(wanted, next, Samples, access, cancellationToken);
            return new BulkPreview(
                page.Total.Count < page.Ids.Count ? new SearchTotal(page.Ids.Count, Exact: false) : page.Total, page.Ids);
        }

        var possible = BulkRules.StatesOf(operation.Action);
        var found = (await queries.FindManyAsync(selection.Ids!, access, cancellationToken, texts: false))
            .FindAll(t => possible.Contains(t.State)).ConvertAll(t => t.CorrelationId);
        return new BulkPreview(new SearchTotal(found.Count, Exact: true), [.. found.Order().Take(Samples)]);
    }
}
