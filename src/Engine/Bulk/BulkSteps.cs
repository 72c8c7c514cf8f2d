using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Bulk;

/// <summary>What became of the tasks of a step.</summary>
/// <param name="Done">Those that were changed.</param>
/// <param name="Others">Those that were not.</param>
/// <param name="Failed">Number of the others that could not be changed; the rest was in no state for it.</param>
/// <param name="Error">Why the last of them could not.</param>
internal sealed record BulkOutcome(
    IReadOnlyList<BulkOperationTask> Done, IReadOnlyList<BulkOperationTask> Others, int Failed, string? Error)
{
    /// <summary>Those of which nothing is known, because the database failed for a moment: they are left to the next step.</summary>
    public IReadOnlyList<BulkOperationTask> Open { get; init; } = [];

    /// <summary>Adds tasks that could not be changed.</summary>
    public BulkOutcome WithFailed(IReadOnlyList<BulkOperationTask> rows, string? error) =>
        rows.Count == 0 ? this : this with { Others = [.. Others, .. rows], Failed = Failed + rows.Count, Error = Error ?? error };
}

/// <summary>Selects the tasks of a step, and changes them or puts them back.</summary>
internal sealed class BulkSteps(
    ITaskSearch search, ITaskQueries queries, TaskService tasks, QueueCatalog queues, IOptions<EngineOptions> options, TimeProvider time)
{
    private const int Size = 200;

    /// <summary>Tasks of a step that reads payloads.</summary>
    private const int SmallSize = 20;

    /// <summary>Characters of payloads of a step; it ends with the task that exceeds them.</summary>
    private const int MaxChars = 4 * 1024 * 1024;

    /// <summary>Most tasks of a step: of one with a rate not more than it allows for a second.</summary>
    public static int SizeOf(BulkOperation operation)
    {
        var size = operation.Action == BulkAction.Edit ? SmallSize : Size;
        return operation.Rate is { } rate ? (int)Math.Clamp(rate, 1, size) : size;
    }

    /// <summary>Finds the next tasks, and those of them that can be changed.</summary>
    public async Task<BulkStep> SelectAsync(BulkOperation operation, Access access, DateTime now)
    {
        var selection = BulkSelection.FromText(operation.Selection);
        var isSearch = selection.Search is not null;
        var (ids, listedAs, before, position, isLast) = await NextAsync(operation, selection, access);
        var found = await FindAsync(ids, access);
        var possible = BulkRules.StatesOf(operation.Action);
        List<BulkOperationTask> selected = [];
        var (skipped, failed, error, chars) = (0, 0, (string?)null, 0L);
        for (var i = 0; i < ids.Count; i++)
        {
            if (chars > MaxChars) // the others belong to the next step
                return Step(listedAs[i - 1], operation.Position + i, last: false);
            // What was accepted since is not chased. Not a condition of the search, which would look for it by ids: clients may make them.
            if (found.TryGetValue(ids[i], out var task) && isSearch && task.CreatedAt >= operation.CreatedAt)
                continue;
            if (task is null || !possible.Contains(task.State) || task.Queue == operation.TargetQueue)
            {
                skipped++;
                continue;
            }

            if (operation.TargetQueue is { } target && !access.CanRead(task.Owner, target))
            {
                (failed, error) = (failed + 1, $"the creator of the operation may not move tasks of other tenants to queue {target}");
                continue;
            }

            var row = new BulkOperationTask
            {
                OperationId = operation.Id, TaskId = task.CorrelationId, FormerState = task.State, FormerQueue = task.Queue,
                FormerFinishedAt = task.FinishedAt,
            };
            if (operation.Action == BulkAction.Edit && await PayloadAsync(row, access) is { } problem)
            {
                (failed, error) = (failed + 1, problem);
                continue;
            }

            chars += row.FormerPayload?.Length ?? 0;
            selected.Add(row);
        }

        return Step(before, position, isLast);

        BulkStep Step(Guid? next, int at, bool last) => new(selected, now)
        {
            Before = next, Position = at, IsLast = last, Skipped = skipped, Failed = failed, Error = error,
        };
    }

    /// <summary>Changes the tasks of a step.</summary>
    /// <exception cref="Exception">The database is unreachable: the step is resumed later.</exception>
    public async Task<BulkOutcome> ApplyAsync(BulkOperation operation, IReadOnlyList<BulkOperationTask> rows, Access access)
    {
        var target = await TargetAsync(operation.TargetQueue);
        var patch = operation.Patch is { } text ? JsonPatch.Read(text) : null;
        var now = Micros.Now(time);
        List<TaskCommand> commands =
            [.. rows.Select(row => BulkRules.Command(operation, row, target, patch, options.Value.MaxPayloadBytes, now))];
        return Outcome(rows, commands, await TryAsync(commands, access), isUndo: false);
    }

    /// <summary>
    /// Ends a step that was interrupted: what it has changed is done; the rest is changed, unless the operation has ended.
    /// </summary>
    public async Task<BulkOutcome> ResumeAsync(BulkOperation operation, IReadOnlyList<BulkOperationTask> rows, Access access)
    {
        var found = await FindAsync([.. rows.Select(r => r.TaskId)], Access.All);
        var patch = operation.Patch is { } text ? JsonPatch.Read(text) : null;
        List<BulkOperationTask> done = [], open = [], unreadable = [];
        foreach (var row in rows)
        {
            var task = found.GetValueOrDefault(row.TaskId);
            if (operation.Action == BulkAction.Edit)
                task = await ReadAsync(row, task);
            (row.Problem is not null ? unreadable
                : BulkRules.IsDone(operation, row, task, patch, options.Value.MaxPayloadBytes) ? done : open).Add(row);
        }

        var outcome = operation.HasEnded || operation.IsUndo || open.Count == 0 ? new BulkOutcome([], open, 0, null)
            : await ApplyAsync(operation, open, access);
        return (outcome with { Done = [.. done, .. outcome.Done] }).WithFailed(unreadable, unreadable.FirstOrDefault()?.Problem);
    }

    /// <summary>Reads the payload of a task of an interrupted step, or notes why it cannot be read.</summary>
    private async Task<TaskState?> ReadAsync(BulkOperationTask row, TaskState? task)
    {
        if (task is null || row.Problem is not null)
            return task;
        try
        {
            return await queries.FindAsync(row.TaskId, Access.All, CancellationToken.None);
        }
        catch (UnreadableDataException unreadable)
        {
            row.Problem = unreadable.Message;
            return task;
        }
    }

    /// <summary>Puts tasks back.</summary>
    public async Task<BulkOutcome> UndoAsync(BulkOperation operation, IReadOnlyList<BulkOperationTask> rows, Access access)
    {
        var patch = operation.Patch is { } text ? JsonPatch.Read(text) : null;
        var now = Micros.Now(time);
        var isMove = operation.Action == BulkAction.Move;
        var found = isMove ? await FindAsync([.. rows.Select(r => r.TaskId)], access) : [];
        List<BulkOperationTask> wanted = [], refused = [];
        List<TaskCommand> commands = [];
        foreach (var row in rows)
        {
            if (isMove && found.GetValueOrDefault(row.TaskId) is { } task && !access.CanRead(task.Owner, row.FormerQueue))
                row.Problem = $"whoever undoes the operation may not move tasks of other tenants to queue {row.FormerQueue}";
            if (row.Problem is not null)
            {
                refused.Add(row);
                continue;
            }

            var former = isMove ? await TargetAsync(row.FormerQueue) : null;
            wanted.Add(row);
            commands.Add(BulkRules.Undo(operation, row, former, patch, options.Value.MaxPayloadBytes, now));
        }

        var outcome = wanted.Count == 0 ? new BulkOutcome([], [], 0, null)
            : Outcome(wanted, commands, await TryAsync(commands, access), isUndo: true);
        return outcome.WithFailed(refused, refused.FirstOrDefault()?.Problem);
    }

    private static BulkOutcome Outcome(
        IReadOnlyList<BulkOperationTask> rows, List<TaskCommand> commands, IReadOnlyList<Exception?> faults, bool isUndo)
    {
        List<BulkOperationTask> done = [], others = [], open = [];
        var (failed, error) = (0, (string?)null);
        for (var i = 0; i < rows.Count; i++)
        {
            var (command, fault) = (commands[i], faults[i]);
            if (fault is not null && IsPassing(fault))
            {
                open.Add(rows[i]);
                continue;
            }

            var isDone = fault is null && IsDone(command, isUndo);
            (isDone ? done : others).Add(rows[i]);
            if (!isDone && ProblemOf(command, fault) is { } problem)
                (failed, error) = (failed + 1, problem);
        }

        return new BulkOutcome(done, others, failed, error) { Open = open };
    }

    /// <summary>
    /// What a step did that was interrupted is a duplicate when it is repeated. Of a cancellation it cannot be told who did it.
    /// </summary>
    private static bool IsDone(TaskCommand command, bool isUndo) =>
        command.CommandResult == CommandResult.Applied
        || (command.CommandResult == CommandResult.Duplicate && (isUndo || command.Change is not null));

    /// <summary>Whether a fault says nothing about the task, so that the command is sent again.</summary>
    private static bool IsPassing(Exception fault) => !StorageFaults.IsOfRow(fault);

    private async Task<Dictionary<Guid, TaskState>> FindAsync(IReadOnlyList<Guid> ids, Access access) =>
        ids.Count == 0 ? [] : (await queries.FindManyAsync(ids, access, CancellationToken.None, texts: false))
            .ToDictionary(t => t.CorrelationId);

    private async Task<IReadOnlyList<Exception?>> TryAsync(List<TaskCommand> commands, Access access)
    {
        foreach (var command in commands)
            command.Access = access;
        var faults = await tasks.TryApplyAsync(commands);
        return faults.Count > 0 && faults.All(f => f is not null && IsPassing(f))
            ? throw new InvalidOperationException(faults[0]!.Message, faults[0]) : faults;
    }

    private async Task<(IReadOnlyList<Guid> Ids, IReadOnlyList<Guid> ListedAs, Guid? Before, int Position, bool IsLast)> NextAsync(
        BulkOperation operation, BulkSelection selection, Access access)
    {
        var size = SizeOf(operation);
        if (selection.Ids is { } listed)
        {
            List<Guid> ids = [.. listed.Skip(operation.Position).Take(size)];
            var position = operation.Position + ids.Count;
            return (ids, ids, null, position, position == listed.Count);
        }

        var total = new SearchTotal(operation.Total, operation.TotalIsExact);
        var from = operation.Before is { } before ? new SearchCursor(before, total) : null;
        var page = await search.FindIdsAsync(selection.Search!, from, size, access, CancellationToken.None);
        return (page.Ids, page.ListedAs, page.Next?.Before, 0, page.Next is null);
    }

    /// <summary>Reads the payload of a task that is to be changed.</summary>
    /// <returns>Why it cannot be; null if it can.</returns>
    private async Task<string?> PayloadAsync(BulkOperationTask row, Access access)
    {
        try
        {
            row.FormerPayload = (await queries.FindAsync(row.TaskId, access, CancellationToken.None))?.Payload;
            return row.FormerPayload is null ? "the task was deleted" : null;
        }
        catch (UnreadableDataException unreadable)
        {
            return unreadable.Message;
        }
    }

    private async ValueTask<TargetQueue?> TargetAsync(string? queue) =>
        queue is null ? null : TargetQueue.Of(queue, await queues.FindAsync(queue));

    /// <summary>Why a command failed; null if the task was only in no state for it.</summary>
    private static string? ProblemOf(TaskCommand command, Exception? fault) =>
        fault is not null ? $"task {command.CorrelationId} could not be changed; the log of the server says more"
        : command.CommandResult == CommandResult.KeyTaken
            ? $"task {command.CorrelationId}: another task that waits or runs has its dedupe key"
        : command.Change?.Problem is { } problem ? $"task {command.CorrelationId}: {problem}" : null;
}
