using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The producer part of the .NET client, over RabbitMQ.</summary>
public sealed class BusProducerTests(ServersStack stack) : IClassFixture<ServersStack>, IAsyncLifetime
{
    private readonly string _queue = $"b{Guid.NewGuid():N}";
    private IHost _host = null!;

    private ITaskProducer Producer => _host.Services.GetRequiredService<ITaskProducer>();

    public async Task InitializeAsync()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Error);
        builder.Services.AddTaskQueueBusProducer(o => o.ConnectionString = new Uri(stack.RabbitMq!));
        _host = builder.Build();
        await _host.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }

    [Fact]
    public async Task Tasks_arrive_like_those_sent_over_HTTP()
    {
        var sent = NewTask.Of(_queue, "ship \"it\"", new Parcel("ann", 7), ParcelJson.Default.Parcel) with
        {
            Tier = 1, Priority = Priority.High, MaxAttempts = 3, DedupeKey = "k", Lease = TimeSpan.FromSeconds(40),
            Retry = new RetryPolicy { Intervals = [1, 2] },
        };

        (await Producer.EnqueueAsync(sent)).ShouldBe(new EnqueuedTask(sent.Id, EnqueueResult.Sent));

        var task = (await ClaimAsync($"{_queue}:1", 1))[0];
        (task.Id(), task.Text("name"), task.Text("priority"), task.Whole("max_attempts")).ShouldBe((sent.Id, "ship \"it\"", "high", 3));
        var payload = task.GetProperty("payload");
        payload.Names().ShouldBe(["id", "action", "data", "created_at"]);
        (payload.GetProperty("id").GetGuid(), payload.Text("action"), payload.GetProperty("data").GetRawText())
            .ShouldBe((sent.Id, "ship \"it\"", """{"to":"ann","weight":7}"""));
        (await stack.Database.GetAsync(sent.Id)).DefaultLeaseMs.ShouldBe(40_000);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("null")]
    [InlineData("false")]
    [InlineData("{ }")]
    public async Task F07_No_data_is_an_empty_list_in_the_queue_of_the_built_in_actions(string? data)
    {
        var id = (await Producer.EnqueueAsync(new NewTask("tasks", "zzz") { Data = data })).Id;
        await Eventually.UntilAsync(
            async () => (await stack.Http.ReadAsync($"/tasks/{id}")).Status == 200, TestHttp.Patience, "it is accepted");
        (await stack.Http.TaskAsync(id)).GetProperty("payload").GetProperty("data").GetRawText().ShouldBe("[]");
    }

    [Fact]
    public async Task Resending_many_tasks_creates_no_new_ones()
    {
        var tasks = Enumerable.Range(0, 1_500).Select(_ => new NewTask(_queue, "n")).ToList();

        (await Producer.EnqueueManyAsync(tasks)).Select(a => a.Id).ShouldBe(tasks.Select(t => t.Id));
        await Producer.EnqueueManyAsync(tasks[..500]);
        await Producer.EnqueueAsync(new NewTask(_queue, "last") { Priority = Priority.Low });

        var claimed = await ClaimAsync(_queue, 1_501);
        claimed.Select(t => t.Id()).Distinct().Count().ShouldBe(1_501);
    }

    [Fact]
    public async Task The_trace_of_the_producer_travels_with_the_task()
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == ClientTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        using var request = new Activity("request").SetIdFormat(ActivityIdFormat.W3C);
        request.Start();

        var id = (await Producer.EnqueueAsync(new NewTask(_queue, "n"))).Id;

        await ClaimAsync(_queue, 1);
        var headers = JsonSerializer.Deserialize<JsonElement>((await stack.Database.GetAsync(id)).Headers.ShouldNotBeNull());
        headers.Text("traceparent").ShouldNotBeNull().ShouldContain(request.TraceId.ToHexString());
    }

    [Fact]
    public async Task A_task_that_no_message_can_hold_is_refused_at_once_and_others_go_on()
    {
        var large = new NewTask(_queue, "n") { Data = $"\"{new string('x', 16 * 1024 * 1024)}\"" };

        var refused = await Should.ThrowAsync<TaskQueueException>(() => Producer.EnqueueAsync(large));

        (refused.Code, refused.IsTransient).ShouldBe(("too_large", false));
        refused.Message.ShouldContain("MaxMessageBytes");
        await Producer.EnqueueAsync(new NewTask(_queue, "n"));
        await ClaimAsync(_queue, 1);
    }

    [Fact]
    public void An_invalid_address_is_refused_with_a_message() =>
        Should.Throw<OptionsValidationException>(() =>
            new ServiceCollection().AddTaskQueueBusProducer(o => o.ConnectionString = new Uri("http://localhost")))
            .Message.ShouldContain("amqp://user:password@host:5672/vhost");

    private async Task<List<JsonElement>> ClaimAsync(string queue, int count)
    {
        var claimed = new List<JsonElement>();
        await Eventually.UntilAsync(async () =>
        {
            claimed.AddRange(await stack.Http.ClaimAsync(queue, max: 1000));
            return claimed.Count >= count;
        }, TestHttp.Patience, $"{count} tasks of {queue} are there");
        return claimed;
    }
}
