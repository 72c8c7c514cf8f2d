using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;

namespace TaskQueue.Tests.Servers;

/// <summary>A store without queue rules: plain tasks, plain claims.</summary>
internal static class StoreExtensions
{
    /// <returns>The inserted ids.</returns>
    public static async Task<IReadOnlySet<Guid>> InsertAsync(this ITaskStore store, IReadOnlyList<TaskState> tasks) =>
        (await store.InsertAsync([.. tasks.Select(t => new NewTask(t))]))!.Where(a => a.Result == SubmitStatus.Accepted).Select(a => a.Id)
            .ToHashSet();

    /// <summary>Inserts tasks in any state as they are, each with the event that it was accepted.</summary>
    public static async Task GivenAsync(this ITaskStore store, TestDatabase database, params IReadOnlyList<TaskState> tasks)
    {
        var waiting = tasks.ToLookup(t => TaskMove.TableOf(t.State) == TaskTable.Ready);
        if (waiting[true].Any())
            await store.InsertAsync([.. waiting[true]]); // the store remembers which of them come first
        await using var context = database.CreateContext();
        await context.InsertAsync([.. waiting[false]]);
        context.Outbox.AddRange(OutboxRows.Pack(waiting[false].Select(t => t.Submitted())));
        await context.SaveChangesAsync();
    }

    public static Task<IReadOnlyList<TaskState>> ClaimAsync(this ITaskStore store, ClaimRequest request, DateTime now) =>
        store.ClaimAsync(request, ClaimRules.None, now);
}
