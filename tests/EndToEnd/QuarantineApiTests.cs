using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Items that cannot be processed are quarantined, listed, released and dropped, in a complete server.</summary>
public abstract class QuarantineApiTests(Stack stack)
{
    private protected Stack Stack => stack;

    private protected static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly string _queue = $"q{Guid.NewGuid():N}"[..12];

    private protected HttpClient Http => stack.Http;

    [Fact]
    public async Task Items_are_listed_in_pages_released_if_possible_and_dropped()
    {
        var quarantine = stack.Host.Services.GetRequiredService<IQuarantine>();
        for (var i = 0; i < 3; i++)
            await quarantine.AddAsync(new QuarantinedItem { Kind = "message", Subject = $"{_queue}-{i}", Queue = _queue,
                Reason = "not a task" }, CancellationToken.None);

        var first = (await Http.ReadAsync($"/quarantine?queue={_queue}&limit=2")).Json;
        first.GetProperty("items").EnumerateArray().Select(i => i.Text("subject")).ShouldBe([$"{_queue}-0", $"{_queue}-1"]);
        var second = (await Http.ReadAsync($"/quarantine?queue={_queue}&limit=2&after={first.GetProperty("next").GetInt64()}")).Json;
        second.GetProperty("items").EnumerateArray().Select(i => i.Text("subject")).ShouldBe([$"{_queue}-2"]);
        second.GetProperty("next").ValueKind.ShouldBe(JsonValueKind.Null);
        (await ItemsAsync("batch")).ShouldBeEmpty();
        (await Http.ReadAsync("/quarantine?limit=0")).Status.ShouldBe(400);
        (await Http.ReadAsync("/quarantine?after=x")).Status.ShouldBe(400);

        var id = first.GetProperty("items")[0].GetProperty("id").GetInt64();
        var refused = await Http.PostAsync($"/quarantine/{id}/release", "");
        refused.Status.ShouldBe(409);
        refused.Json.Text("detail")!.ShouldContain("drop the item");
        (await Http.RemoveAsync($"/quarantine/{id}")).Status.ShouldBe(204);
        (await Http.RemoveAsync($"/quarantine/{id}")).Status.ShouldBe(404);
        (await Http.PostAsync("/quarantine/x/release", "")).Status.ShouldBe(404);
        var metrics = await Http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        metrics.ShouldContain("taskqueue_quarantine{");
        metrics.ShouldContain("taskqueue_quarantine_additions_total{");
    }

    [Fact]
    public async Task A_batch_that_keeps_failing_is_quarantined_and_others_continue()
    {
        (await Http.PutAsync($"/queues/{_queue}", new { })).Status.ShouldBe(201);
        var services = stack.Host.Services;
        var file = await UploadAsync(services.GetRequiredService<FileService>(),
            "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/x\",\"body\":{\"model\":\"m\"}}\n");
        var now = Micros.Now(TimeProvider.System);
        var bad = NewBatch(file, now, b => (b.State, b.Total, b.InProgressAt) = (BatchStates.InProgress, 7, now)); // the file has one line
        var good = NewBatch(file, now.AddSeconds(1), b => b.State = BatchStates.Validating);
        await using (var db = stack.Database.CreateContext())
        {
            db.Batches.AddRange(bad, good);
            await db.SaveChangesAsync();
        }

        var item = await ItemAsync("batch", _queue);
        item.Text("subject").ShouldBe(BatchId.Format(bad.CorrelationId));
        item.Text("reason")!.ShouldContain("lines");
        await Eventually.UntilAsync(
            async () => (await BatchAsync(good)).State != BatchStates.Validating, Deadline, "the other one goes on");

        (await Http.PostAsync($"/quarantine/{Id(item)}/release", "")).Status.ShouldBe(200);
        item = await ItemAsync("batch", _queue);
        (await Http.RemoveAsync($"/quarantine/{Id(item)}")).Status.ShouldBe(204);
        var ended = await BatchAsync(bad);
        (ended.State, ended.Errors!.Contains("given up", StringComparison.Ordinal)).ShouldBe((BatchStates.Failed, true));
    }

    [Fact]
    public async Task A_callback_whose_result_cannot_be_stored_is_quarantined_and_resent_after_release()
    {
        var callback = new Callback { SubjectId = Guid.NewGuid(), Url = "http://127.0.0.1:1/x", Body = "{}", Log = "{",
            DueAt = DateTime.UnixEpoch, CreatedAt = Micros.Now(TimeProvider.System) };
        await using (var db = stack.Database.CreateContext())
        {
            db.Callbacks.Add(callback);
            await db.SaveChangesAsync();
        }

        var subject = $"{callback.Id}";
        var item = await ItemAsync("callback", null, i => i.Text("subject") == subject);
        (await Http.PostAsync($"/quarantine/{Id(item)}/release", "")).Status.ShouldBe(200);
        await Eventually.UntilAsync(async () =>
        {
            await using var db = stack.Database.CreateContext();
            return (await db.Callbacks.AsNoTracking().SingleAsync(c => c.Id == callback.Id))
                .Log.Contains("error", StringComparison.Ordinal);
        }, Deadline, "it is tried and noted");
    }

    [Fact]
    public async Task A_schedule_whose_task_cannot_be_created_is_quarantined_until_it_is_changed()
    {
        (await Http.PutAsync($"/queues/{_queue}", new { })).Status.ShouldBe(201);
        (await Http.PutAsync($"/queues/{_queue}/schedules/s", new { cron = "0 0 1 1 *" })).Status.ShouldBe(201);
        await using var db = stack.Database.CreateContext();
        var schedule = await db.Schedules.SingleAsync(s => s.Queue == _queue);
        var tick = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        // The id of the tick's task is already used by another tenant.
        var taken = TestTasks.New(_queue, t =>
            (t.CorrelationId, t.Owner, t.State, t.FinishedAt) = (ScheduledTasks.IdOf(schedule.Id, tick), "somebody",
                TaskStates.Completed, tick));
        await db.InsertAsync(taken);
        await db.Schedules.Where(s => s.Id == schedule.Id).ExecuteUpdateAsync(s => s.SetProperty(x => x.NextAt, tick));

        var item = await ItemAsync("schedule", _queue);
        item.Text("reason")!.ShouldContain("schedule s");
        (await Http.ReadAsync($"/queues/{_queue}/schedules/s")).Json.GetProperty("next").GetArrayLength().ShouldBe(0);
        (await Http.PutAsync($"/queues/{_queue}/schedules/s", new { cron = "0 0 1 1 *" })).Json.GetProperty("next").GetArrayLength()
            .ShouldBe(5);
        (await ItemsAsync("schedule")).ShouldBeEmpty();
    }

    private async Task<JsonElement> ItemAsync(string kind, string? queue, Func<JsonElement, bool>? which = null)
    {
        List<JsonElement> found = [];
        await Eventually.UntilAsync(
            async () => (found = [.. (await ItemsAsync(kind, queue)).Where(which ?? (_ => true))]).Count == 1,
            Deadline, $"a {kind} is set aside");
        return found[0];
    }

    private static long Id(JsonElement item) => item.GetProperty("id").GetInt64();

    private async Task<List<JsonElement>> ItemsAsync(string kind) => await ItemsAsync(kind, _queue);

    private protected async Task<List<JsonElement>> ItemsAsync(string kind, string? queue)
    {
        var reply = await Http.ReadAsync($"/quarantine?kind={kind}{(queue is null ? "" : $"&queue={queue}")}");
        reply.Status.ShouldBe(200, reply.Text);
        return [.. reply.Json.GetProperty("items").EnumerateArray()];
    }

    private async Task<BatchState> BatchAsync(BatchState batch)
    {
        await using var db = stack.Database.CreateContext();
        return await db.Batches.AsNoTracking().SingleAsync(b => b.CorrelationId == batch.CorrelationId);
    }

    private BatchState NewBatch(string file, DateTime now, Action<BatchState> change)
    {
        var batch = new BatchState
        {
            CorrelationId = stack.Host.Services.GetRequiredService<NumberedTaskIds>().New(1, 1, NumberedTaskMode.Batch)
                .ToGuid(), Queue = _queue, Tier = 1, Endpoint = "/v1/x", CompletionWindow = "24h",
            InputFileId = file, CreatedAt = now, DeadlineAt = now.AddDays(1),
        };
        change(batch);
        return batch;
    }

    private static async Task<string> UploadAsync(FileService files, string text)
    {
        await using var writer = await files.OpenWriteAsync(null, "batch", "in.jsonl");
        await writer.Stream.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text));
        return (await writer.CommitAsync()).Id;
    }

    public sealed class OnSqlite(SqliteStack stack) : QuarantineApiTests(stack), IClassFixture<SqliteStack>
    {
        [Fact]
        public async Task An_unreadable_push_task_is_quarantined_and_the_outbox_dispatcher_continues()
        {
            await using var db = Stack.Database.CreateContext();
            await db.Database.ExecuteSqlRawAsync(
                "create trigger poison after insert on ready when new.name = 'poison' begin update ready set created_at = "
                    + "900000000000000000 where id = new.id; end");
            var bad = await Http.SubmitAsync(new { action = "poison" });
            var good = await Http.SubmitAsync(new { action = "echo", data = 1 });
            await Http.TaskAsync(good, "completed");
            await Eventually.UntilAsync(
                async () => (await ItemsAsync("dispatch", queue: null)).Exists(i => i.Text("subject") == bad.ToString()),
                Deadline, "it is set aside");
            await db.Database.ExecuteSqlRawAsync("drop trigger poison");
        }

        [Fact]
        public async Task The_command_line_lists_releases_and_drops()
        {
            var quarantine = Stack.Host.Services.GetRequiredService<IQuarantine>();
            var subject = $"s{Guid.NewGuid():N}";
            await quarantine.AddAsync(new QuarantinedItem { Kind = "message", Subject = subject, Queue = "cli",
                Reason = "not \u001b[31ma task" }, CancellationToken.None);
            var list = (await RunAsync("quarantine", "list", "--queue", "cli")).Done();
            var line = list.Lines.Single(l => l.Contains(subject, StringComparison.Ordinal));
            list.Text.ShouldNotContain("\u001b");
            var id = line.Split(' ')[0];
            (await RunAsync("quarantine", "list", "--kind", "message", "--json")).Done().Json.GetProperty("items").EnumerateArray()
                .ShouldContain(i => i.Text("subject") == subject);
            (await RunAsync("quarantine", "release", id)).Refused(1, "drop the item");
            (await RunAsync("quarantine", "drop", id)).Done().Text.ShouldBe($"{id}  dropped");
            (await RunAsync("quarantine", "drop", id, "--json")).ExitCode.ShouldBe(1);
        }

        private Task<CommandRun> RunAsync(params string[] args) => CommandRun.OfAsync(Stack.Http.BaseAddress!, args);
    }

    public sealed class OnPostgresAndRabbitMq(ServersStack stack) : QuarantineApiTests(stack), IClassFixture<ServersStack>;
}
