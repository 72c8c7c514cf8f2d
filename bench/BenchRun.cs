using System.Diagnostics;
using TaskQueue.Bench.Servers;
using TaskQueue.Bench.Soak;
using TaskQueue.Storage;

namespace TaskQueue.Bench;

/// <summary>A measurement is invalid; the message says why.</summary>
internal sealed class BenchException(string message) : Exception(message);

/// <summary>One run of the driver: state and helpers shared by the scenarios.</summary>
internal sealed class BenchRun(BenchOptions options, CancellationToken cancellationToken) : IAsyncDisposable
{
    public const string AllRoles = "api,scheduler,consumers";

    private readonly long _since = Stopwatch.GetTimestamp();

    public BenchOptions Options { get; } = options;

    public Sizes Sizes => Options.Sizes;

    public SoakPlan Soak => Options.Soak;

    public IBenchServer Server { get; } = DatabaseAddress.Guess(options.Database) switch
    {
        DatabaseProvider.Postgres => new Postgres(options.Database, options.Scratch, cancellationToken),
        DatabaseProvider.SqlServer => new SqlServer(options.Database, cancellationToken),
        _ => throw new BenchException("--database is neither PostgreSQL (Host=…) nor SQL Server (Server=…)"),
    };

    public Broker Broker { get; } = new(options.RabbitMq);

    public CancellationToken Stop => cancellationToken;

    /// <summary>Name of the current scenario, for progress and errors.</summary>
    public string Scenario { get; set; } = "";

    /// <summary>Writes progress to the error stream.</summary>
    public void Say(string text) => Console.Error.WriteLine($"{Stopwatch.GetElapsedTime(_since).TotalSeconds,5:0} s {Scenario}: {text}");

    /// <summary>Creates a migrated database.</summary>
    public Task<BenchDatabase> CreateDatabaseAsync() => Server.CreateAsync();

    /// <summary>The same on PostgreSQL, for figures of the server itself.</summary>
    public async Task<PostgresDatabase> CreatePostgresAsync() => Server is Postgres ? (PostgresDatabase)await CreateDatabaseAsync()
        : throw new BenchException("the scenario needs PostgreSQL");

    /// <summary>Starts a server on a database, after clearing the bus of earlier messages.</summary>
    public async Task<ServerProcess> StartServerAsync(BenchDatabase database) => (await StartServersAsync(database, [AllRoles]))[0];

    /// <summary>Starts one server per list of roles on a database, after clearing the bus of earlier messages.</summary>
    public async Task<IReadOnlyList<ServerProcess>> StartServersAsync(BenchDatabase database, IReadOnlyList<string> roles)
    {
        await Broker.CleanAsync();
        var servers = new List<ServerProcess>();
        try
        {
            foreach (var some in roles)
                servers.Add(await ServerProcess.StartAsync(some, database.ConnectionString, Options.RabbitMq, cancellationToken));
            return servers;
        }
        catch
        {
            servers.ForEach(s => s.Dispose());
            throw;
        }
    }

    /// <summary>Takes samples of a figure.</summary>
    public async Task<List<T>> SampleAsync<T>(Func<Task<T>> measure)
    {
        var samples = new List<T>();
        for (var i = 1; i <= Options.Repeat; i++)
        {
            samples.Add(await measure());
            Say($"sample {i} of {Options.Repeat}: {Shown(samples[^1])}");
        }

        return samples;
    }

    /// <summary>Alternates samples of a figure and of its reference, so that noise affects both.</summary>
    public async Task<(List<T> Measured, List<T> Reference)> AlternateAsync<T>(Func<Task<T>> reference, Func<Task<T>> measure)
    {
        var references = new List<T>();
        var samples = await SampleAsync(async () =>
        {
            references.Add(await reference());
            Say($"reference: {Shown(references[^1])}");
            return await measure();
        });
        return (samples, references);
    }

    public async ValueTask DisposeAsync()
    {
        await Broker.CleanAsync();
        await Server.DisposeAsync();
    }

    private static string Shown<T>(T sample) => sample is double rate ? $"{rate:#,0}/s" : $"{sample}";
}
