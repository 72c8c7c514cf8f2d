namespace TaskQueue.Bench.Servers;

/// <summary>A PostgreSQL instance of its own, as <c>tests/servers.sh</c> starts them. run.sh stops what a killed driver leaves.</summary>
internal sealed class PrivatePostgres : IAsyncDisposable
{
    private const string Script = "tests/servers.sh"; // run.sh goes to the repository's folder

    private readonly string _folder;

    private PrivatePostgres(string folder, Postgres server) => (_folder, Server) = (folder, server);

    public Postgres Server { get; }

    public static async Task<PrivatePostgres> StartAsync(BenchRun run, string name)
    {
        var folder = Path.Combine(run.Options.Scratch, name);
        await ChildProcess.RunAsync("bash", [Script, "start", folder, "postgres"], environment: null, run.Stop);
        const string Port = "postgres_port=";
        var port = File.ReadLines(Path.Combine(folder, "ports")).Single(l => l.StartsWith(Port, StringComparison.Ordinal))[Port.Length..];
        return new PrivatePostgres(folder, new Postgres(
            $"Host=127.0.0.1;Port={port};Username=taskqueue;Password=taskqueue;Database=postgres", run.Options.Scratch, run.Stop));
    }

    public async ValueTask DisposeAsync()
    {
        await ChildProcess.RunAsync("bash", [Script, "stop", _folder], environment: null, CancellationToken.None);
        Directory.Delete(_folder, recursive: true);
    }
}
