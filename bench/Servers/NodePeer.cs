using System.Text.Json;
using TaskQueue.Bench.Load;

namespace TaskQueue.Bench.Servers;

/// <summary>Rates of inserted and drained tasks, and CPU time of the database server for each in microseconds a task.</summary>
internal sealed record PeerSample(double Insert, double Drain, double InsertCpu, double DrainCpu)
{
    /// <summary>The CPU times are those of a quarter more tasks, which warm up.</summary>
    public static PeerSample Of(int tasks, double insert, TimeSpan insertCpu, double drain, TimeSpan drainCpu) => new(
        insert, drain, insertCpu.TotalMicroseconds / (tasks * 1.25), drainCpu.TotalMicroseconds / (tasks * 1.25));

    public override string ToString() =>
        $"insert {Insert:#,0}/s and {InsertCpu:0.0} µs a task, drain {Drain:#,0}/s and {DrainCpu:0.0} µs a task";
}

/// <summary>The scripts of <c>bench/Peers</c> with their packages, which include a Node.js.</summary>
internal sealed class NodePackages
{
    private readonly string _folder;

    private NodePackages(string folder) => _folder = folder;

    public static async Task<NodePackages> InstallAsync(BenchRun run)
    {
        var folder = Path.Combine(run.Options.Scratch, "peers");
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Peers")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        await ChildProcess.RunAsync(
            "npm", ["install", "--prefix", folder, "--omit=dev", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"],
            environment: null, run.Stop);
        return new NodePackages(folder);
    }

    /// <summary>The version of a package.</summary>
    public string Version(string package)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "package.json")));
        return document.RootElement.GetProperty("dependencies").GetProperty(package).GetString()!;
    }

    /// <summary>Runs main.mjs.</summary>
    /// <returns>Its output.</returns>
    public Task<IReadOnlyCollection<string>> RunAsync(IEnumerable<string> args, string url, CancellationToken cancellationToken) =>
        ChildProcess.RunAsync(
            Path.Combine(_folder, "node_modules", ".bin", "node"), [Path.Combine(_folder, "main.mjs"), .. args],
            new Dictionary<string, string> { ["PEER_URL"] = url, ["PEER_PAYLOAD"] = Bodies.Plain }, cancellationToken);
}

/// <summary>Another task queue.</summary>
/// <param name="run">The run.</param>
/// <param name="packages">Where it is installed.</param>
/// <param name="name">Its package, and the script that uses it.</param>
/// <param name="url">Its database.</param>
/// <param name="readCpuTimeAsync">Reads the CPU time of the database server.</param>
/// <param name="restAsync">Prepares the database for the next load.</param>
internal sealed class NodePeer(BenchRun run, NodePackages packages, string name, Uri url, Func<Task<TimeSpan>> readCpuTimeAsync,
    Func<Task> restAsync)
{
    private const string Seconds = "seconds ";

    public string Name => name;

    /// <summary>What stands behind its CPU times in the report.</summary>
    public string Store => url.Scheme == "redis" ? ", CPU of Redis" : "";

    public Task SetUpAsync() => packages.RunAsync([name, "setup"], url.ToString(), run.Stop);

    public async Task<PeerSample> MeasureAsync(int tasks)
    {
        await restAsync();
        var (insert, insertCpu) = await MeasureAsync("insert", tasks);
        await restAsync();
        var (drain, drainCpu) = await MeasureAsync("drain", tasks);
        return PeerSample.Of(tasks, insert, insertCpu, drain, drainCpu);
    }

    private async Task<(double Rate, TimeSpan Cpu)> MeasureAsync(string verb, int tasks)
    {
        var before = await readCpuTimeAsync();
        var lines = await packages.RunAsync([name, verb, $"{tasks}"], url.ToString(), run.Stop);
        var seconds = lines.SingleOrDefault(l => l.StartsWith(Seconds, StringComparison.Ordinal));
        return lines.Count == 1 && seconds is not null
            ? (tasks / double.Parse(seconds[Seconds.Length..]), await readCpuTimeAsync() - before)
            : throw new BenchException($"{name} {verb} wrote:\n{string.Join('\n', lines)}");
    }
}
