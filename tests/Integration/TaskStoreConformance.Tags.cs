using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Rows of tags come and go with their tasks.</summary>
public abstract partial class TaskStoreConformance
{
    [Fact]
    public async Task A_task_has_a_row_for_each_tag_however_it_is_inserted()
    {
        var (plain, keyed) = (Tagged("a,Größe 😀"), Tagged("a", t => (t.DedupeKey, t.Owner) = ("k", "ann")));
        var session = Tagged("b");
        await Store.InsertAsync([plain, New()]);
        await Store.InsertAsync([keyed, New()]);
        await using (var open = await Store.BeginAsync())
            await open.SaveAsync([session], []);

        (await TagsAsync()).ShouldBe(
            [
                $"a {plain.CorrelationId}  tagged", $"Größe 😀 {plain.CorrelationId}  tagged", $"a {keyed.CorrelationId} ann tagged",
                $"b {session.CorrelationId}  tagged",
            ],
            ignoreOrder: true);
    }

    [Fact]
    public async Task An_existing_task_keeps_its_tags()
    {
        var old = Tagged("a");
        await Store.InsertAsync([old]);

        await Store.InsertAsync([Tagged("b", t => t.CorrelationId = old.CorrelationId), Tagged("c", t => t.DedupeKey = "k")]);
        await Store.InsertAsync([Tagged("d", t => t.DedupeKey = "k")]);

        (await TagsAsync()).Select(row => row[..1]).ShouldBe(["a", "c"], ignoreOrder: true);
        (await Database.GetAsync(old.CorrelationId)).Tags.ShouldBe("a");
    }

    [Fact]
    public async Task The_rows_of_tags_are_removed_with_their_task()
    {
        var (gone, kept) = (Tagged("a,b"), Tagged("a"));
        await Store.InsertAsync([gone, kept, New()]);
        await using (var session = await Store.BeginAsync())
        {
            var loaded = (await session.LoadAsync([gone.CorrelationId]))[gone.CorrelationId];
            (loaded.State, loaded.FinishedAt, loaded.DeleteAt) = (TaskStates.Cancelled, T0, T0);
            await session.SaveAsync([], [loaded]);
        }

        await using (var context = Database.CreateContext())
            await context.Outbox.ExecuteDeleteAsync(); // as if published
        (await fixture.Engine.QueueStore.RemoveDeletedAsync(T0.AddHours(1), 10)).ShouldBe(1);

        (await TagsAsync()).ShouldBe([$"a {kept.CorrelationId}  tagged"]);
    }

    private static TaskState Tagged(string tags, Action<TaskState>? change = null) => New("tagged", t =>
    {
        t.Tags = tags;
        change?.Invoke(t);
    });

    private async Task<List<string>> TagsAsync()
    {
        await using var context = Database.CreateContext();
        return (await context.TaskTags.AsNoTracking().ToListAsync()).ConvertAll(t => $"{t.Tag} {t.TaskId} {t.Owner} {t.Queue}");
    }
}
