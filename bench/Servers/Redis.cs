namespace TaskQueue.Bench.Servers;

/// <summary>A private Redis that syncs its log every second, as BullMQ's documentation recommends.</summary>
internal sealed class Redis : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly ChildProcess _process;

    private Redis(ChildProcess process, int port)
    {
        _process = process;
        Url = new Uri($"redis://127.0.0.1:{port}");
    }

    public Uri Url { get; }

    public static async Task<Redis> StartAsync(BenchRun run)
    {
        var folder = Directory.CreateDirectory(Path.Combine(run.Options.Scratch, "redis")).FullName;
        var port = ServerProcess.FreePort();
        var process = ChildProcess.Start("redis-server",
            ["--port", $"{port}", "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
                "--maxmemory-policy", "noeviction"]);
        var redis = new Redis(process, port);
        try
        {
            await Wait.UntilAsync(
                () => process.HasExited ? throw new BenchException($"Redis has exited:\n{string.Join('\n', process.Lines)}")
                    : Task.FromResult(process.Lines.Any(l => l.Contains("Ready to accept connections", StringComparison.Ordinal))),
                Deadline, "Redis is ready", run.Stop);
            return redis;
        }
        catch
        {
            await redis.DisposeAsync();
            throw;
        }
    }

    public Task<TimeSpan> ReadCpuTimeAsync() => Task.FromResult(CpuTime.OfTree(_process.Id));

    public ValueTask DisposeAsync()
    {
        _process.Dispose();
        return ValueTask.CompletedTask;
    }
}
