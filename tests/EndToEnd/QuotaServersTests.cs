using System.Diagnostics;
using System.Text;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Quotas that two processes share over PostgreSQL.</summary>
public sealed class QuotaServersTests : IAsyncLifetime
{
    private const int MiB = 1024 * 1024, PerSecond = 40;

    private TestDatabase _database = null!;
    private string _rabbitMq = null!;
    private TestHost[] _hosts = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        _rabbitMq = await TestServers.CreateVirtualHostAsync();
        var settings = QuotaKeys.Settings(("Default:FileBytes", $"{10 * MiB}"), ("Default:Streams", "4"),
            ("Tenants:eve:RequestsPerSecond", $"{PerSecond}"), ("Default:WaitingTasks", "20"));
        _hosts = await Task.WhenAll(Enumerable.Range(0, 2)
            .Select(_ => TestHost.StartAsync(_database.ConnectionString, _rabbitMq, settings: settings)));
    }

    public async Task DisposeAsync()
    {
        await Task.WhenAll(_hosts.Select(h => h.DisposeAsync().AsTask()));
        await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Request_limits_of_a_tenant_apply_across_processes()
    {
        var start = Stopwatch.GetTimestamp();
        var length = TimeSpan.FromSeconds(5);
        var counts = await Task.WhenAll(_hosts.SelectMany(host => Enumerable.Range(0, 4).Select(_ => SendAsync(host, start, length))));
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

        // The bucket holds one second's tokens, and each process up to a chunk. A database that is too slow costs what the process allows
        // meanwhile.
        var unshared = (await Task.WhenAll(_hosts.Select(async host =>
        {
            using var boss = host.ClientOf("boss");
            return (await MetricsText.ReadAsync(boss)).Sum("taskqueue_quota_unshared_total");
        }))).Sum();
        counts.Sum(c => c.Accepted).ShouldBeInRange((int)(PerSecond * length.TotalSeconds * 0.7),
            (int)(PerSecond * (seconds + 1)) + (2 * PerSecond / 3) + (int)unshared);
        counts.Sum(c => c.Refused).ShouldBeGreaterThan(0);
        foreach (var host in _hosts)
        {
            using var ann = host.ClientOf("ann");
            (await ann.ReadAsync("/queues")).Status.ShouldBe(200);
        }
    }

    [Fact]
    public async Task Waiting_tasks_of_both_processes_are_counted()
    {
        using var here = _hosts[0].ClientOf("ann");
        using var there = _hosts[1].ClientOf("ann");
        await Eventually.UntilAsync(async () =>
        {
            var replies = await Task.WhenAll(here.PostAsync("/tasks", new { queue = "q", action = "a" }),
                there.PostAsync("/tasks", new { queue = "q", action = "a" }));
            return replies.All(r => r.Status == 429);
        }, TestHttp.Patience, "both refuse");

        await using var db = _database.CreateContext();
        db.Tasks.Count(t => t.Owner == "ann").ShouldBeInRange(20, 40); // the other process's last second is not seen
    }

    [Fact]
    public async Task Streams_of_both_processes_are_counted_until_one_stops()
    {
        using var here = _hosts[0].ClientOf("ann");
        using var there = _hosts[1].ClientOf("ann");
        using var leave = new CancellationTokenSource();
        var waits = new[] { here, here, there, there }.Select(http => WaitAsync(http, leave.Token)).ToList();
        foreach (var http in new[] { here, there })
            await Eventually.UntilAsync(async () => await ClaimAsync(http) == 429, TestHttp.Patience, "both refuse the fifth");
        using (var ben = _hosts[0].ClientOf("ben"))
            (await ClaimAsync(ben)).ShouldBe(200);

        await _hosts[1].StopAsync();
        await Eventually.UntilAsync(
            async () => await ClaimAsync(here) == 200, TimeSpan.FromSeconds(40), "streams of a process that stopped do not count");
        await leave.CancelAsync();
        await Task.WhenAll(waits);
    }

    [Fact]
    public async Task Two_concurrent_uploads_do_not_both_pass_the_quota()
    {
        var uploads = await Task.WhenAll(_hosts.Select(async host =>
        {
            using var ann = host.ClientOf("ann");
            return (await ann.UploadAsync(6 * MiB)).Reply;
        }));

        uploads.Count(u => u.Status == 200).ShouldBeLessThanOrEqualTo(1);
        uploads.ShouldAllBe(u => u.Status == 200 || u.Status == 429);
        await using var db = _database.CreateContext();
        db.Files.Sum(f => f.Bytes).ShouldBeLessThanOrEqualTo(10 * MiB);
        using var again = _hosts[0].ClientOf("ann");
        (await again.UploadAsync(4 * MiB)).Reply.Status.ShouldBe(200);
    }

    private static async Task<(int Accepted, int Refused)> SendAsync(TestHost host, long start, TimeSpan length)
    {
        using var eve = host.ClientOf("eve");
        var (accepted, refused) = (0, 0);
        while (Stopwatch.GetElapsedTime(start) < length)
        {
            if ((await eve.ReadAsync("/quota?tenant=eve")).Status == 200)
                accepted++;
            else
                refused++;
        }

        return (accepted, refused);
    }

    private static async Task<int> ClaimAsync(HttpClient http) => (await http.PostAsync("/workers/claim",
        """{"queues":["empty"],"worker":"w","wait_seconds":0.05}""")).Status;

    private static async Task WaitAsync(HttpClient http, CancellationToken cancellationToken)
    {
        using var body = new StringContent("""{"queues":["idle"],"worker":"w","wait_seconds":30}""", Encoding.UTF8, "application/json");
        try
        {
            using var answer = await http.PostAsync(new Uri("/workers/claim", UriKind.Relative), body, cancellationToken);
        }
        catch (Exception fault) when (fault is OperationCanceledException or HttpRequestException)
        {
            // It was released, or its process stopped.
        }
    }
}
