using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Audit;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Guessing keys is throttled, costs one audit row per minute, and affects no other caller.</summary>
public sealed class AuthFailureTests(KeyServer server) : IClassFixture<KeyServer>
{
    private const int Guesses = 500;

    [Fact]
    public async Task Guesses_are_throttled_by_address_and_audited_in_one_row()
    {
        const string attacker = "203.0.113.9";
        var statuses = new List<int>();
        await Parallel.ForAsync(0, Guesses, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) =>
        {
            var guess = i % 2 == 0 ? $"tq_{Guid.NewGuid():N}{Guid.NewGuid():N}"[..46] : $"guess-{i}";
            var reply = await server.CallAsync(guess, "GET", "/queues", from: attacker);
            lock (statuses)
                statuses.Add(reply.Status);
        });

        statuses.ShouldAllBe(s => s == 401 || s == 429);
        statuses.Count(s => s == 401).ShouldBeInRange(10, 60); // 10 at once, then one a second
        (await server.CallAsync(KeyServer.Reader, "GET", "/queues", from: attacker)).Status.ShouldBe(200, "a known key of the same office");
        (await server.CallAsync("guess", "GET", "/queues", from: "203.0.113.10"))
            .Status.ShouldBe(401, "another address has its own bucket");
        var (_, issued) = await server.IssueAsync(new { name = "fresh" });
        (await server.CallAsync(issued, "GET", "/queues", from: attacker)).Status.ShouldBe(200, "an issued key is known");

        await Eventually.UntilAsync(async () => await CountAsync(attacker) == Guesses, TimeSpan.FromSeconds(30), "all guesses are counted");
        (await server.AuditAsync($"address={attacker}")).Select(r => r.Text("action")).Order(StringComparer.Ordinal)
            .ShouldBe(["auth.refused", "rate.refused"]);
    }

    [Fact]
    public async Task A_throttled_response_has_Retry_After_and_later_keys_are_checked_again()
    {
        const string address = "2001:db8:7::1";
        var (round, text) = (0, "");
        TimeSpan? retryAfter = null;
        await Eventually.UntilAsync(
            async () =>
            {
                await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => server.CallAsync("guess", "GET", "/queues", from: address)));
                using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/queues", UriKind.Relative));
                request.Headers.Add("Authorization", "Bearer guess");
                request.Headers.Add("X-Forwarded-For", $"2001:db8:7::1:{++round:x}"); // another of the same /64
                using var answer = await server.Http.SendAsync(request);
                (retryAfter, text) = (answer.Headers.RetryAfter?.Delta, await answer.Content.ReadAsStringAsync());
                return (int)answer.StatusCode == 429;
            },
            TestHttp.Patience, "the addresses are throttled");

        retryAfter.ShouldBe(TimeSpan.FromSeconds(1));
        text.ShouldContain("too_many_failures");
        (await server.CallAsync(null, "GET", "/queues", from: address))
            .Status.ShouldBe(401, "without a credential there is nothing to guess");
        await Eventually.UntilAsync(
            async () => (await server.CallAsync("guess", "GET", "/queues", from: address)).Status == 401,
            TestHttp.Patience, "the bucket fills again");
    }

    [Fact]
    public async Task A_known_token_works_although_its_address_is_throttled()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = AuthServer.Settings();
        settings["TaskQueue:Limits:FailedAuthentications:PerSecond"] = settings["TaskQueue:Limits:FailedAuthentications:Burst"] = "1";
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);
        var token = $"Bearer {AuthServer.Token(AuthServer.Claims("read"))}";
        (await StatusAsync(token)).ShouldBe(200);
        await Eventually.UntilAsync(async () => await StatusAsync("Bearer guess") == 429, TestHttp.Patience, "the address is throttled");

        (await StatusAsync(token)).ShouldBe(200);
        (await StatusAsync($"{token}A")).ShouldBeOneOf([401, 429], "another signature is another token");

        async Task<int> StatusAsync(string authorization)
        {
            using var answer = await AuthServer.SendAsync(host.Http, "GET", "/queues", authorization);
            return (int)answer.StatusCode;
        }
    }

    [Fact]
    public async Task A_proxy_that_is_not_trusted_cannot_choose_an_address()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = KeyServer.Settings();
        settings.Remove("TaskQueue:TrustedProxies:0");
        settings.Remove("TaskQueue:TrustedProxies:1");
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);
        var statuses = new List<int>();
        for (var i = 0; i < 30; i++)
            statuses.Add((await KeyServer.CallAsync(host.Http, "guess", "GET", "/queues", from: $"203.0.113.{i}")).Status);
        statuses.ShouldContain(429);
    }

    [Fact]
    public async Task Guesses_from_many_addresses_add_a_bounded_number_of_audit_rows()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        const int addresses = 1500;
        await using (var host = await TestHost.StartAsync(database.ConnectionString, settings: KeyServer.Settings()))
        {
            await Parallel.ForAsync(0, addresses, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) =>
                await KeyServer.CallAsync(host.Http, "guess", "GET", "/queues",
                    from: string.Create(CultureInfo.InvariantCulture, $"198.51.{i / 250}.{i % 250}")));
        }

        await using var db = database.CreateContext();
        var rows = await db.Audit.Where(r => r.Action == "auth.refused").ToListAsync();
        rows.Count.ShouldBeInRange(2, 410); // 200 a minute and the one that they share; the run may touch two minutes
        rows.Sum(Count).ShouldBe(addresses);
    }

    private async Task<long> CountAsync(string address) =>
        (await server.AuditAsync($"address={address}"))
            .Sum(r => r.GetProperty("after") is { ValueKind: System.Text.Json.JsonValueKind.Object } after
                ? after.GetProperty("count").GetInt64() : 1);

    private static long Count(AuditRecord record) =>
        record.After is null ? 1
            : System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(record.After).GetProperty("count").GetInt64();
}
