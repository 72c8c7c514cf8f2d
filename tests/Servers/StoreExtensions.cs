using TaskQueue.Engine.Tasks;

namespace TaskQueue.Tests.Servers;

/// <summary>A store without queue rules: plain tasks, plain claims.</summary>
internal static class StoreExtensions
{
    /// <returns>The inserted ids.</returns>
    public static async Task<IReadOnlySet<Guid>> InsertAsync(this ITaskStore store, IReadOnlyList<TaskState> tasks) =>
        (await store.InsertAsync([.. tasks.Select(t => new NewTask(t))]))!.Where(a => a.Result == SubmitStatus.Accepted).Select(a => a.Id)
            .ToHashSet();

    public static Task<IReadOnlyList<TaskState>> ClaimAsync(this ITaskStore store, ClaimRequest request, DateTime now) =>
        store.ClaimAsync(request, ClaimRules.None, now);
}
