using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Cost of authenticating POST /tasks with one of ten keys, one of a thousand keys, and a token.</summary>
internal static class AuthScenario
{
    private const string Secret = "the-secret-of-the-benchmark-with-40-bytes";
    private const int Keys = 10;
    private const int ManyKeys = 1000;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var openDatabase = await run.CreateDatabaseAsync();
        await using var closedDatabase = await run.CreateDatabaseAsync();
        await using var manyDatabase = await run.CreateDatabaseAsync();
        using var open = await ServerProcess.StartAsync(BenchRun.AllRoles, openDatabase.ConnectionString, rabbitMq: null, run.Stop);
        using var closed = await ServerProcess.StartAsync(BenchRun.AllRoles, closedDatabase.ConnectionString, rabbitMq: null, run.Stop,
            Settings());
        using var many = await ServerProcess.StartAsync(BenchRun.AllRoles, manyDatabase.ConnectionString, rabbitMq: null, run.Stop,
            await WriteKeysAsync(run));
        var body = Bodies.One(Bodies.PullQueue);
        var free = new Wrk(run, open, "/tasks", body, PostScenario.Connections);
        var key = new Wrk(run, closed, "/tasks", body, PostScenario.Connections, token: Key(5));
        var token = new Wrk(run, closed, "/tasks", body, PostScenario.Connections, token: Token());
        var manyKey = new Wrk(run, many, "/tasks", body, PostScenario.Connections, token: Key(500));
        foreach (var wrk in new[] { free, key, manyKey, token })
            await wrk.RunAsync(run.Sizes.WarmUp);

        var (byKey, withoutKey) = await CompareAsync(run, openDatabase, free, closedDatabase, key);
        var (byManyKey, withoutManyKey) = await CompareAsync(run, openDatabase, free, manyDatabase, manyKey);
        var (byToken, withoutToken) = await CompareAsync(run, openDatabase, free, closedDatabase, token);
        open.DemandNoTrouble();
        closed.DemandNoTrouble();
        many.DemandNoTrouble();
        return
        [
            new("POST /tasks with one of ten API keys", new Series(byKey, Unit.TasksPerSecond),
                new Reference("a server without keys", new Series(withoutKey, Unit.TasksPerSecond)), Goal.RatioAtLeast(0.95)),
            new("POST /tasks with one of 1,000 API keys", new Series(byManyKey, Unit.TasksPerSecond),
                new Reference("a server without keys", new Series(withoutManyKey, Unit.TasksPerSecond)), Goal.RatioAtLeast(0.95)),
            new("POST /tasks with a token (HS256)", new Series(byToken, Unit.TasksPerSecond),
                new Reference("a server without keys", new Series(withoutToken, Unit.TasksPerSecond))),
        ];
    }

    private static Task<(List<double> Measured, List<double> Reference)> CompareAsync(BenchRun run, BenchDatabase openDatabase, Wrk free,
        BenchDatabase closedDatabase, Wrk named) =>
        run.AlternateAsync(
            async () =>
            {
                await openDatabase.SettleAsync();
                return await free.RunAsync(run.Sizes.Load);
            },
            async () =>
            {
                await closedDatabase.SettleAsync();
                return await named.RunAsync(run.Sizes.Load);
            });

    private static Dictionary<string, string> Settings()
    {
        var settings = new Dictionary<string, string> { ["TaskQueue__Auth__Jwt__Secret"] = Secret };
        for (var i = 0; i < Keys; i++)
        {
            settings[$"TaskQueue__Auth__ApiKeys__{i}__Name"] = $"caller-{i}";
            settings[$"TaskQueue__Auth__ApiKeys__{i}__KeyHash"] = Hash(i);
        }

        return settings;
    }

    /// <summary>Writes the keys to a file, because a thousand keys do not belong in the environment.</summary>
    private static async Task<Dictionary<string, string>> WriteKeysAsync(BenchRun run)
    {
        var file = Path.Combine(run.Options.Scratch, "keys.json");
        var keys = Enumerable.Range(0, ManyKeys).Select(i => new { Name = $"caller-{i}", KeyHash = Hash(i) });
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new { ApiKeys = keys }), run.Stop);
        return new() { ["TaskQueue__Auth__KeysFile"] = file };
    }

    /// <summary>Derives a key as strong as the server requires.</summary>
    private static string Key(int number) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"key {number} of the benchmark")));

    private static string Hash(int key) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Key(key))));

    private static string Token()
    {
        var signed = $"{Encode("""{"alg":"HS256","typ":"JWT"}""")}.{Encode("""{"sub":"caller","scope":"enqueue","exp":4102444800}""")}";
        return $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(signed)))}";
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
}
