using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>How a worker of a conformance test is started.</summary>
internal sealed record WorkerProgramOptions(string Queue)
{
    public string? Name { get; init; }

    public int Slots { get; init; } = 2;

    /// <summary>Seconds.</summary>
    public double? Lease { get; init; }

    /// <summary>Seconds.</summary>
    public double DrainTimeout { get; init; } = 25;

    /// <summary>fail or release.</summary>
    public string UnknownNames { get; init; } = "fail";
}

/// <summary>A worker in any language, with handlers of the same names and behaviour.</summary>
internal interface IWorkerProgram : IAsyncDisposable
{
    /// <summary>What it has written: <c>started ID</c> and <c>cancelled ID lost|released</c>, by the handler <c>wait</c>.</summary>
    IReadOnlyList<string> Lines { get; }

    /// <summary>Asks it to stop: SIGTERM.</summary>
    void Stop();

    /// <summary>Waits until it has ended, without an error.</summary>
    Task EndAsync();
}

/// <summary>A program that takes the server and its options as arguments.</summary>
internal sealed class ForeignWorkerProgram(string program, string file, Uri server, WorkerProgramOptions options) : IWorkerProgram
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private readonly Command _command =
        new(program, [file, server.ToString(), JsonSerializer.Serialize(options, Json)], ClientPackage.Environment);

    public IReadOnlyList<string> Lines => _command.Results;

    public void Stop() => _command.Terminate();

    public async Task EndAsync() => (await _command.WaitAsync(TimeSpan.FromSeconds(40))).ShouldBe(0, _command.Output);

    public ValueTask DisposeAsync()
    {
        _command.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>A host with a worker of the .NET client, in this process.</summary>
internal sealed class DotNetWorkerProgram : IWorkerProgram
{
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly ConcurrentDictionary<Guid, int> _snoozes = new();
    private WorkerRun? _run;
    private Task? _stopping;

    private DotNetWorkerProgram()
    {
    }

    public static async Task<IWorkerProgram> StartAsync(Uri server, WorkerProgramOptions options)
    {
        var program = new DotNetWorkerProgram();
        program._run = await WorkerRun.StartAsync(server, o => program.Configure(o, options));
        return program;
    }

    public IReadOnlyList<string> Lines => [.. _lines];

    public void Stop() => _stopping = _run!.StopAsync();

    public Task EndAsync() => _stopping ?? throw new InvalidOperationException("nobody has stopped it");

    public async ValueTask DisposeAsync() => await _run!.DisposeAsync();

    private void Configure(TaskQueueWorkerOptions o, WorkerProgramOptions options)
    {
        o.Queues.Add(options.Queue);
        o.Name = options.Name ?? o.Name;
        o.Concurrency = options.Slots;
        o.Lease = options.Lease is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        o.DrainTimeout = TimeSpan.FromSeconds(options.DrainTimeout);
        o.UnknownNames = options.UnknownNames == "release" ? UnknownNames.Release : UnknownNames.Fail;
        o.AddProcessor("echo", (_, _) => throw new InvalidOperationException("the last handler of a name wins"));
        o.AddProcessor("echo", (task, _) => Task.FromResult(TaskOutcome.CompletedJson(Data(task).GetRawText())));
        o.AddProcessor("none", (_, _) => Task.FromResult(TaskOutcome.Completed()));
        o.AddProcessor("fail", (task, _) => Task.FromResult(TaskOutcome.Failed(Data(task).Text("message")!)));
        o.AddProcessor("throw", (task, _) => task.Attempt <= Data(task).Whole("times")
            ? throw new InvalidOperationException($"row {task.Attempt} of '{task.Id}' is broken")
            : Task.FromResult(TaskOutcome.CompletedJson($"{task.Attempt}")));
        o.AddProcessor("snooze", (task, _) => Task.FromResult(Snooze(task)));
        o.AddProcessor("log", LogAsync);
        o.AddProcessor("wait", WaitAsync);
        o.AddProcessor("large", (task, _) =>
            Task.FromResult(TaskOutcome.CompletedJson($"\"{new string('x', Data(task).Whole("characters"))}\"")));
    }

    private TaskOutcome Snooze(TaskContext task)
    {
        var runs = _snoozes.AddOrUpdate(task.Id, 1, (_, n) => n + 1);
        return runs <= 3 ? TaskOutcome.Snooze(TimeSpan.FromMilliseconds(50)) : TaskOutcome.CompletedJson($"{runs}");
    }

    private static async Task<TaskOutcome> LogAsync(TaskContext task, CancellationToken cancellationToken)
    {
        task.Log($"attempt {task.Attempt} begins");
        task.Log("careful", TaskLogLevel.Warning);
        if (task.Attempt == 1)
            throw new InvalidOperationException("boom");
        await IsOpenAsync(task, cancellationToken);
        task.Log(new string('x', 20_000), TaskLogLevel.Error);
        return TaskOutcome.CompletedJson("1");
    }

    private async Task<TaskOutcome> WaitAsync(TaskContext task, CancellationToken cancellationToken)
    {
        _lines.Enqueue($"started {task.Id}");
        if (Data(task).TryGetProperty("progress", out var progress))
            await task.ReportProgressAsync(progress.GetRawText());
        if (await IsOpenAsync(task, cancellationToken))
            return TaskOutcome.CompletedJson(Data(task).TryGetProperty("result", out var result) ? result.GetRawText() : null);
        _lines.Enqueue($"cancelled {task.Id} {(task.LeaseLost ? "lost" : "released")}");
        return TaskOutcome.CompletedJson("\"too late\"");
    }

    /// <summary>Until the file exists that opens the gate; false if the task is cancelled before.</summary>
    private static async Task<bool> IsOpenAsync(TaskContext task, CancellationToken cancellationToken)
    {
        var gate = Data(task).Text("gate")!;
        await Eventually.UntilAsync(
            () => Task.FromResult(File.Exists(gate) || cancellationToken.IsCancellationRequested), TimeSpan.FromMinutes(2),
            "the gate opens");
        return !cancellationToken.IsCancellationRequested;
    }

    private static JsonElement Data(TaskContext task) =>
        JsonSerializer.Deserialize<JsonElement>(task.Payload).GetProperty("data");
}
