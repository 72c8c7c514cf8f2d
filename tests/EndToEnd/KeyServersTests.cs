using System.Diagnostics;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Two processes share their keys through PostgreSQL.</summary>
public sealed class KeyServersTests
{
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task A_new_key_works_at_once_and_a_revoked_one_is_refused_soon_on_every_process()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        var settings = KeyServer.Settings().Where(s => s.Value is not null).ToDictionary(s => s.Key, s => s.Value!);
        var delays = new List<TimeSpan>();
        await using (var one = await TaskQueueProcess.StartAsync("api", database.ConnectionString, rabbitMq, settings))
        await using (var other = await TaskQueueProcess.StartAsync("api", database.ConnectionString, rabbitMq, settings))
        {
            for (var round = 0; round < 5; round++)
            {
                var issued = (await KeyServer.CallAsync(one.Http, KeyServer.Boss, "POST", "/keys", new { name = "k" })).Json;
                (await StatusAsync(other, issued.Text("key")!)).ShouldBe(200, "at once on the other process");
                (await StatusAsync(one, issued.Text("key")!)).ShouldBe(200);

                var rotated = (await KeyServer.CallAsync(other.Http, KeyServer.Boss, "POST", $"/keys/{issued.Text("id")}/rotate"))
                    .Json.Text("key")!;
                (await StatusAsync(one, rotated)).ShouldBe(200);
                delays.Add(await RefusedAsync(one, issued.Text("key")!));

                (await KeyServer.CallAsync(one.Http, KeyServer.Boss, "DELETE", $"/keys/{issued.Text("id")}")).Status.ShouldBe(204);
                (await StatusAsync(one, rotated)).ShouldBeOneOf(401, 429);
                delays.Add(await RefusedAsync(other, rotated));
            }

            foreach (var process in new[] { one, other })
                await process.TerminateAsync();
        }

        await TestServers.DeleteVirtualHostAsync(rabbitMq);
        // The median: the promise concerns the server, not the other load of this machine.
        delays.Order().ElementAt(delays.Count / 2).ShouldBeLessThan(Promised);
    }

    private static async Task<int> StatusAsync(TaskQueueProcess process, string key) =>
        (await KeyServer.CallAsync(process.Http, key, "GET", "/queues",
            from: $"10.1.{Random.Shared.Next(256)}.{Random.Shared.Next(256)}")).Status;

    /// <returns>How long it took.</returns>
    private static async Task<TimeSpan> RefusedAsync(TaskQueueProcess process, string key)
    {
        var start = Stopwatch.GetTimestamp();
        await Eventually.UntilAsync(async () => await StatusAsync(process, key) is 401 or 429, TestHttp.Patience, "the key is refused");
        return Stopwatch.GetElapsedTime(start);
    }
}
