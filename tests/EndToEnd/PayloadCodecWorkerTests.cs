using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Producers and workers that encode what the server stores, over each transport.</summary>
public sealed class PayloadCodecWorkerTests(ServersStack stack) : IClassFixture<ServersStack>
{
    private const string Marker = "marker-91b3fa";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly double[] Soon = [0.1];

    private readonly string _queue = $"c{Guid.NewGuid():N}";
    private readonly AesGcmPayloadCodec _codec = new("k1", new Dictionary<string, byte[]> { ["k1"] = RandomNumberGenerator.GetBytes(32) });

    [Theory]
    [InlineData("pull", false)]
    [InlineData("push", false)]
    [InlineData("push", true)]
    public async Task The_server_never_sees_encoded_data_in_plain_text(string delivery, bool overBus)
    {
        (await stack.Http.PutAsync($"/queues/{_queue}", new { delivery })).Status.ShouldBe(201);
        using var producer = await ProducerAsync(overBus);
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var worker = await WorkerRun.StartAsync(stack.Http.BaseAddress!, o => Configure(o, delivery, _codec, async task =>
        {
            task.Payload.ShouldContain(Marker);
            await task.ReportProgressAsync($"\"{Marker} progress\"");
            await told.Task;
            var parcel = task.Read(ParcelJson.Default.Parcel);
            return TaskOutcome.Completed(parcel with { To = $"{parcel.To} done" }, ParcelJson.Default.Parcel);
        }));
        var sent = await Producer(producer, overBus).EnqueueAsync(_queue, "ship", new Parcel(Marker, 7), ParcelJson.Default.Parcel);
        var many = await Producer(producer, overBus)
            .EnqueueManyAsync([NewTask.Of(_queue, "none", new Parcel(Marker, 1), ParcelJson.Default.Parcel)]);
        var client = producer.Services.GetRequiredService<TaskQueueClient>();

        await Eventually.UntilAsync(
            async () => (await client.GetAsync(sent.Id))?.Progress is { } progress && progress.GetString() == $"{Marker} progress",
            Patience, "the progress is there");
        told.SetResult();
        (await client.WaitForResultAsync(sent.Id, ParcelJson.Default.Parcel, Patience)).ShouldBe(new Parcel($"{Marker} done", 7));
        (await client.GetAsync(sent.Id)).ShouldNotBeNull().Payload.GetProperty("data").GetProperty("to").GetString().ShouldBe(Marker);
        (await client.WaitAsync(many[0].Id, Patience)).Result.ShouldNotBeNull().GetProperty("data").GetProperty("weight").GetInt32()
            .ShouldBe(1); // echoed
        foreach (var id in new[] { sent.Id, many[0].Id })
        {
            var seen = await stack.Http.ReadAsync($"/tasks/{id}");
            seen.Text.ShouldNotContain(Marker);
            seen.Json.GetProperty("payload").GetProperty("data").GetProperty("$enc").Text("kid").ShouldBe("k1");
            seen.Json.GetProperty("result").Names().ShouldBe(["$enc"]);
            var row = await stack.Database.GetAsync(id);
            string.Concat(row.Payload, row.Result, row.Progress, row.Error).ShouldNotContain(Marker);
        }
    }

    [Theory]
    [InlineData("pull")]
    [InlineData("push")]
    public async Task A_worker_without_the_codec_or_key_fails_the_task_with_a_clear_error(string delivery)
    {
        (await stack.Http.PutAsync($"/queues/{_queue}", new { delivery, retry = new { intervals = Soon } })).Status.ShouldBe(201);
        using var producer = await ProducerAsync(overBus: false);
        var client = producer.Services.GetRequiredService<TaskQueueClient>();
        var other = new AesGcmPayloadCodec("k2", new Dictionary<string, byte[]> { ["k2"] = RandomNumberGenerator.GetBytes(32) });
        foreach (var (codec, problem) in new (ITaskPayloadCodec?, string)[]
        {
            (null, "encoded with key 'k1', and this program has no codec"),
            (other, "key 'k1', which this codec does not have"),
        })
        {
            var ran = false;
            await using var worker = await WorkerRun.StartAsync(stack.Http.BaseAddress!, o => Configure(o, delivery, codec, _ =>
            {
                ran = true;
                return Task.FromResult(TaskOutcome.Completed());
            }));
            var id = (await client.EnqueueAsync(_queue, "ship", new Parcel(Marker, 7), ParcelJson.Default.Parcel)).Id;

            var failed = await client.WaitAsync(id, Patience);
            failed.Status.ShouldBe(QueuedTaskStatus.Failed);
            failed.Error.ShouldNotBeNull().ShouldContain(problem);
            ran.ShouldBeFalse();
        }
    }

    [Fact]
    public async Task A_reader_without_the_codec_does_not_take_the_encoded_form_for_the_result()
    {
        using var producer = await ProducerAsync(overBus: false);
        await using var worker = await WorkerRun.StartAsync(
            stack.Http.BaseAddress!, o => Configure(o, "pull", _codec, _ => Task.FromResult(TaskOutcome.CompletedJson("{}"))));
        var sent = await producer.Services.GetRequiredService<ITaskProducer>()
            .EnqueueAsync(_queue, "ship", new Parcel(Marker, 7), ParcelJson.Default.Parcel);
        await using var services = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = stack.Http.BaseAddress!)
            .BuildServiceProvider();
        var reader = services.GetRequiredService<TaskQueueClient>();

        var refused = await Should.ThrowAsync<TaskPayloadException>(reader.WaitForResultAsync(sent.Id, ParcelJson.Default.Parcel,
            Patience));
        refused.Message.ShouldContain("set Codec");
    }

    private void Configure(TaskQueueWorkerOptions options, string delivery, ITaskPayloadCodec? codec,
        Func<TaskContext, Task<TaskOutcome>> process)
    {
        options.Queues.Add(_queue);
        options.Codec = codec;
        options.UnknownNames = UnknownNames.Echo;
        options.AddProcessor("ship", (task, _) => process(task));
        if (delivery == "push")
            options.UseRabbitMq(new Uri(stack.RabbitMq!));
    }

    /// <summary>A program whose producers share the codec of its client.</summary>
    private async Task<IHost> ProducerAsync(bool overBus)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.Error);
        builder.Services.AddTaskQueueClient(o => (o.BaseAddress, o.Codec) = (stack.Http.BaseAddress!, _codec));
        if (overBus)
            builder.Services.AddTaskQueueBusProducer(o => o.ConnectionString = new Uri(stack.RabbitMq!));
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    private static ITaskProducer Producer(IHost host, bool overBus) =>
        overBus ? host.Services.GetRequiredService<TaskQueueBusProducer>() : host.Services.GetRequiredService<TaskQueueClient>();
}
