using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Trace;
using TaskQueue.Api.Hosting;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Activity listeners see the whole test process, and requests of other tests would carry traces: these tests run alone.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class TracedCollection
{
    public const string Name = "traced";
}

/// <summary>A process whose spans are kept, on PostgreSQL and RabbitMQ, with an upstream.</summary>
public sealed class TracedStack : IAsyncLifetime
{
    private readonly KeptSpans _spans = new();
    private TestDatabase _database = null!;

    /// <summary>What the process would send to a collector.</summary>
    public IEnumerable<Activity> Spans => _spans.Ended;

    internal TestHost Host { get; private set; } = null!;

    internal TestUpstream Upstream { get; private set; } = null!;

    internal string RabbitMq { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Upstream = await TestUpstream.StartAsync();
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        RabbitMq = await TestServers.CreateVirtualHostAsync();
        var settings = new Dictionary<string, string?>
        {
            ["Logging:LogLevel:Default"] = "Error",
            ["TaskQueue:Upstreams:0:Endpoint"] = "/v1/x",
            ["TaskQueue:Upstreams:0:BaseUrl"] = $"{Upstream.Address}v1",
        };
        Host = await TestHost.StartAsync(_database.ConnectionString, RabbitMq, roles: null, settings,
            services => services.AddOpenTelemetry().WithTracing(t => t.AddTaskQueueSources().AddProcessor(_spans)));
    }

    public async Task DisposeAsync()
    {
        await Host.DisposeAsync();
        await TestServers.DeleteVirtualHostAsync(RabbitMq);
        await _database.DisposeAsync();
        await Upstream.DisposeAsync();
    }

    private sealed class KeptSpans : BaseProcessor<Activity>
    {
        public ConcurrentQueue<Activity> Ended { get; } = new();

        public override void OnEnd(Activity data)
        {
            if (data.Recorded)
                Ended.Enqueue(data);
        }
    }
}
