using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The behaviour that the workers of all languages share. .NET's own cases are those of <see cref="WorkerConformance"/>.</summary>
public abstract partial class WorkerProgramConformance(Stack stack) : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly double[] Soon = [0.1, 0.1];
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"taskqueue-{Guid.NewGuid():N}");
    private readonly string _queue = $"w{Guid.NewGuid():N}";

    /// <summary>Type of the error that the handler <c>throw</c> throws.</summary>
    protected abstract string ErrorType { get; }

    /// <summary>A text in the stack of that error.</summary>
    protected abstract string Place { get; }

    private HttpClient Http => stack.Http;

    private WorkerProgramOptions Options => new(_queue);

    private protected abstract Task<IWorkerProgram> StartAsync(Uri server, WorkerProgramOptions options);

    public Task InitializeAsync()
    {
        Directory.CreateDirectory(_folder);
        return Task.CompletedTask;
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Only_the_handler_of_exactly_the_name_runs_and_the_last_one_of_a_name_wins()
    {
        await using var worker = await StartAsync(Options);
        var echo = await SubmitAsync("echo", new { x = "héllo" });
        var none = await SubmitAsync("none", 1);
        var other = await SubmitAsync("Echo", 1);

        (await Http.TaskAsync(echo, "completed")).GetProperty("result").Text("x").ShouldBe("héllo");
        (await Http.TaskAsync(none, "completed")).GetProperty("result").ValueKind.ShouldBe(JsonValueKind.Null);
        (await Http.TaskAsync(other, "failed")).Whole("attempt").ShouldBe(1);
    }

    [Fact]
    public async Task A_name_without_a_handler_fails_for_good_with_an_error_that_names_the_worker_and_its_handlers()
    {
        var name = $"me-{_queue}";
        await using var worker = await StartAsync(Options with { Name = name });
        var task = await Http.TaskAsync(await SubmitAsync("sned", 1), "failed");

        (task.Whole("attempt"), task.GetProperty("dead_letter").GetBoolean()).ShouldBe((1, true));
        task.Text("error")!.ShouldMatch(
            $"^worker {name} has no (handler|processor) for 'sned'; it has echo, fail, large, log, none, snooze, throw, wait$");
    }

    [Fact]
    public async Task A_task_without_a_handler_can_be_released_for_another_worker()
    {
        await using var worker = await StartAsync(Options with { UnknownNames = "release" });
        var id = await SubmitAsync("nobody", 1);

        await Eventually.UntilAsync(async () => (await TimelineAsync(id)).Contains("snoozed"), Patience, "the task was given back");
        (await Http.TaskAsync(id)).Text("status").ShouldBe("pending");
    }

    [Fact]
    public async Task A_failure_for_good_is_not_retried_and_a_snooze_counts_no_attempt()
    {
        await using var worker = await StartAsync(Options);
        var failed = await SubmitAsync("fail", new { message = "no such address" });
        var snoozed = await SubmitAsync("snooze", 1, attempts: 1);

        var task = await Http.TaskAsync(failed, "failed");
        (task.Text("error"), task.Whole("attempt")).ShouldBe(("no such address", 1));
        (await Http.TaskAsync(snoozed, "completed")).Whole("result").ShouldBe(4);
    }

    [Fact]
    public async Task What_is_thrown_is_retried_until_no_attempt_is_left_and_grouped_with_type_and_stack()
    {
        await using var worker = await StartAsync(Options);
        var always = await SubmitAsync("throw", new { times = 9 }, soon: true);
        var twice = await SubmitAsync("throw", new { times = 2 }, soon: true);

        var failed = await Http.TaskAsync(always, "failed");
        (failed.Text("error"), failed.Whole("attempt")).ShouldBe(($"row 3 of '{always}' is broken", 3));
        (await Http.TaskAsync(twice, "completed")).Whole("result").ShouldBe(3);

        JsonElement group = default;
        await Eventually.UntilAsync(async () =>
        {
            var groups = (await Http.ReadAsync($"/failures?queue={_queue}")).Json.GetProperty("groups");
            return groups.GetArrayLength() == 1 && (group = groups[0]).Whole("count") == 5;
        }, Patience, "all five failures are in one group");
        (group.Text("error_type"), group.Text("message")).ShouldBe((ErrorType, "row <n> of <text> is broken"));
        var samples = (await Http.ReadAsync($"/failures/{group.Text("id")}")).Json.GetProperty("samples");
        samples[0].Text("stack").ShouldNotBeNull().ShouldContain(Place);
    }

    [Fact]
    public async Task What_a_handler_logs_is_kept_with_its_task_over_all_attempts()
    {
        await using var worker = await StartAsync(Options with { Lease = 6 });
        var (gate, open) = Gate();
        var id = await SubmitAsync("log", new { gate }, soon: true);

        await Eventually.UntilAsync(
            async () => (await LogAsync(id)).Count == 4, Patience, "the second attempt's lines arrive while it runs");
        open();
        (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(2);
        await Eventually.UntilAsync(async () => (await LogAsync(id)).Count == 5, Patience, "the last line arrives");
        var log = await LogAsync(id);
        log.Select(l => (l.Whole("attempt"), l.Text("level"))).ShouldBe(
            [(1, "info"), (1, "warning"), (2, "info"), (2, "warning"), (2, "error")]);
        log.Take(4).Select(l => l.Text("message")).ShouldBe(["attempt 1 begins", "careful", "attempt 2 begins", "careful"]);
        log[^1].Text("message")!.Length.ShouldBe(8192);
    }

    [Fact]
    public async Task Progress_is_seen_while_the_task_runs_and_a_lease_outlives_long_work()
    {
        await using var worker = await StartAsync(Options with { Lease = 8 });
        var (gate, open) = Gate();
        var id = await SubmitAsync("wait", new { gate, progress = new { done = 0.5 }, result = "fine" });

        await Eventually.UntilAsync(
            async () => (await Http.TaskAsync(id)).GetProperty("progress") is { ValueKind: JsonValueKind.Object } p
                && p.GetProperty("done").GetDouble() == 0.5,
            Patience, "the progress shows");
        await Http.OutlivesLeaseAsync(id, TimeSpan.FromSeconds(8));
        open();

        var task = await Http.TaskAsync(id, "completed");
        (task.Whole("attempt"), task.Text("result")).ShouldBe((1, "fine"));
        Started(worker).ShouldBe([id]);
    }

    [Fact]
    public async Task A_task_that_is_cancelled_deleted_or_taken_away_ends_its_handler_and_the_outcome_is_dropped()
    {
        await using var worker = await StartAsync(Options with { Slots = 3, Lease = 6 });
        var (gate, _) = Gate();
        var ids = new List<Guid>();
        for (var i = 0; i < 3; i++)
            ids.Add(await SubmitAsync("wait", new { gate }));
        await Eventually.UntilAsync(() => Task.FromResult(Started(worker).Count == 3), Patience, "all three run");

        (await Http.PostAsync($"/tasks/{ids[0]}/cancel", "")).Status.ShouldBe(200);
        (await Http.RemoveAsync($"/tasks/{ids[1]}")).Status.ShouldBe(204);
        (await Http.TellAsync("report", new { id = ids[2], attempt = 1, outcome = "snoozed", delay_seconds = 600 })).ShouldBe(["ok"]);

        await Eventually.UntilAsync(
            () => Task.FromResult(ids.All(id => worker.Lines.Contains($"cancelled {id} lost"))), Patience, "the handlers learn of it");
        await Http.TaskAsync(await SubmitAsync("echo", 1), "completed"); // what ended before it has been reported
        (await Http.TaskAsync(ids[0])).Text("status").ShouldBe("cancelled");
        (await Http.ReadAsync($"/tasks/{ids[1]}")).Status.ShouldBe(404);
        (await Http.TaskAsync(ids[2])).Text("status").ShouldBe("pending");
    }

    [Fact]
    public async Task A_refused_result_fails_only_its_own_task()
    {
        await using var worker = await StartAsync(Options with { Lease = 60 });
        var large = await SubmitAsync("large", new { characters = 70_000_000 });
        var small = await SubmitAsync("echo", 1);

        (await Http.TaskAsync(small, "completed")).Whole("attempt").ShouldBe(1);
        (await Http.TaskAsync(large, "failed")).Text("error")!.ShouldContain("refused");
    }

    private Task<IWorkerProgram> StartAsync(WorkerProgramOptions options) => StartAsync(Http.BaseAddress!, options);

    private Task<Guid> SubmitAsync(string action, object data, bool soon = false, int? attempts = null)
    {
        var body = new Dictionary<string, object> { ["action"] = action, ["queue"] = _queue, ["data"] = data };
        if (soon)
            body["retry"] = new { intervals = Soon };
        if (attempts is { } most)
            body["max_attempts"] = most;
        return Http.SubmitAsync(body);
    }

    /// <summary>A file that does not exist, and what creates it.</summary>
    private (string Gate, Action Open) Gate()
    {
        var file = Path.Combine(_folder, $"{Guid.NewGuid():N}");
        return (file, () => File.WriteAllText(file, ""));
    }

    private static List<Guid> Started(IWorkerProgram worker) =>
        [.. worker.Lines.Select(l => l.Split(' ')).Where(w => w[0] == "started").Select(w => Guid.Parse(w[1]))];

    private async Task<List<string?>> TimelineAsync(Guid id) =>
        [.. (await Http.TaskAsync(id)).GetProperty("timeline").EnumerateArray().Select(e => e.Text("event"))];

    private async Task<List<JsonElement>> LogAsync(Guid id) =>
        [.. (await Http.ReadAsync($"/tasks/{id}/logs")).Json.GetProperty("entries").EnumerateArray()
            .OrderBy(l => l.GetProperty("at").GetDateTimeOffset())]; // the lines of an attempt may arrive after those of the next
}

/// <summary>The .NET client.</summary>
public sealed class DotNetWorkerPrograms(SqliteStack stack) : WorkerProgramConformance(stack), IClassFixture<SqliteStack>
{
    protected override string ErrorType => "System.InvalidOperationException";

    protected override string Place => nameof(DotNetWorkerProgram);

    private protected override Task<IWorkerProgram> StartAsync(Uri server, WorkerProgramOptions options) =>
        DotNetWorkerProgram.StartAsync(server, options);
}

/// <summary>The package in <c>clients/python</c>.</summary>
public sealed class PythonWorkerPrograms(SqliteStack stack) : WorkerProgramConformance(stack), IClassFixture<SqliteStack>
{
    protected override string ErrorType => "ValueError";

    protected override string Place => "conformance.py";

    private protected override Task<IWorkerProgram> StartAsync(Uri server, WorkerProgramOptions options) =>
        Task.FromResult<IWorkerProgram>(
            new ForeignWorkerProgram("python3", ClientPackage.Python("tests", "conformance.py"), server, options));
}

/// <summary>The package in <c>clients/javascript</c>.</summary>
public sealed class JavaScriptWorkerPrograms(SqliteStack stack) : WorkerProgramConformance(stack), IClassFixture<SqliteStack>
{
    protected override string ErrorType => "RangeError";

    protected override string Place => "conformance.mjs";

    private protected override Task<IWorkerProgram> StartAsync(Uri server, WorkerProgramOptions options) =>
        Task.FromResult<IWorkerProgram>(
            new ForeignWorkerProgram("node", ClientPackage.JavaScript("test", "conformance.mjs"), server, options));
}
