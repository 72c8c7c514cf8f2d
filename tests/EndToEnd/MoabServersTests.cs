using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Adapters.Moab;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What several servers of one database must agree on, and what keeps a server from starting.</summary>
public sealed class MoabServersTests(MoabOnPostgres server) : IClassFixture<MoabOnPostgres>
{
    [Fact]
    public async Task A_queue_created_on_one_server_is_known_to_the_other_at_once_and_a_change_soon()
    {
        await using var other = await server.StartSecondAsync();
        var name = server.NewName();
        var question = $$"""{"queue_name":"{{name}}"}""";
        (await other.Http.PostAsync("/moab/GetQueue", question)).Status.ShouldBe(404);

        await server.OkAsync("CreateQueue", $$"""{"name":"{{name}}","keepalive_timeout_in_seconds":5}""");
        (await other.Http.PostAsync("/moab/GetQueue", question)).Status.ShouldBe(200);
        var id = await server.EnqueueOneAsync(name);
        await server.OkAsync("UpdateQueue",
            $$"""{"queue_name":"{{name}}","keepalive_timeout_in_seconds":5,"dequeuing_settings":{"dequeuing_paused":true} }""");
        await Eventually.UntilAsync(
            async () => (await other.Http.PostAsync("/moab/GetQueue", question)).Json.GetProperty("queue").Whole("version") == 2,
            TimeSpan.FromSeconds(10), "the change is known");

        MoabServer.Tasks((await other.Http.PostAsync("/moab/Dequeue", question)).Json).ShouldBeEmpty();
        (await other.Http.PostAsync("/moab/GetTask", $$"""{"queue_name":"{{name}}","task_id":"{{id}}"}""")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task An_entry_whose_id_collides_with_another_process_gets_a_new_id()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero));
        var ids = new MoabTaskIds(clock);
        await using var other = await server.StartSecondAsync(services => services.AddSingleton(ids));
        var name = await server.QueueAsync();
        var first = (((ulong)clock.GetUtcNow().ToUnixTimeMilliseconds() << MoabTaskId.InstanceBits) | (uint)ids.Instance)
            << MoabTaskId.CounterBits;
        var taskService = other.Services.GetRequiredService<TaskService>();
        var elsewhere = await server.QueueAsync();
        foreach (var taken in new[] { first, first + 2 })
            (await taskService.SubmitAsync(new TaskSubmission(MoabTaskId.ToGuid(taken), elsewhere, "theirs")))
                .Result.ShouldBe(SubmitStatus.Accepted);

        var reply = await other.Http.PostAsync("/moab/Enqueue",
            $$"""{"queue_name":"{{name}}","entries":[{"payload":"a"},{"payload":"b"},{"payload":"c"}]}""");

        var tasks = MoabServer.Tasks(reply.Json);
        tasks.Payloads().ShouldBe(["a", "b", "c"]);
        tasks[1].Text("id").ShouldBe(MoabTaskId.Format(MoabTaskId.ToGuid(first + 1)));
        foreach (var task in tasks)
            (await server.TaskAsync(name, task.Text("id")!)).Text("payload").ShouldBe(task.Text("payload"));
        (await server.ListAsync(elsewhere)).Payloads().ShouldBe(["theirs", "theirs"]);
        (await server.StatsAsync(name)).Long("enqueued_tasks_count").ShouldBe(3);
    }

    [Theory]
    [InlineData("MaxEnqueueEntries")]
    [InlineData("MaxQueues")]
    [InlineData("MaxSchedulesPerQueue")]
    [InlineData("MaxSchedules")]
    public async Task An_invalid_limit_stops_the_start(string key)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);

        var fault = await Should.ThrowAsync<OptionsValidationException>(
            () => TestHost.StartAsync(database.ConnectionString,
                settings: new Dictionary<string, string?> { [$"TaskQueue:Moab:{key}"] = "0" }));

        fault.Message.ShouldContain(key);
    }
}
