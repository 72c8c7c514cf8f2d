using System.Collections.Concurrent;
using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Strategies, process timeouts and ages.</summary>
public abstract partial class BellaApiTests
{
    [Fact]
    public async Task Check10_cancel()
    {
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name);

        var cancelled = await server.PostAsync($"{id}/cancel", "");
        var again = await server.PostAsync($"{id}/cancel", "");

        ((int)cancelled.Status).ShouldBe(202);
        cancelled.Body.ShouldBe($"\"{id}\"");
        ((int)again.Status).ShouldBe(202);
        ((int)(await server.PostAsync("TASK-999-1-C-251111201500-0001-000001/cancel", "")).Status).ShouldBe(202);
        (await server.TakeAsync($"{name}:1")).GetRawText().ShouldBe("{}");
        (await server.CompleteAsync(id, "{}")).Ok().GetString().ShouldBe(id);
        (await StatusAsync(id)).ShouldBe("cancelled");
    }

    [Fact]
    public async Task Check10_a_running_task_can_be_cancelled()
    {
        var name = await server.RegisterAsync();
        await server.PutAsync(name);
        var id = await server.TakeOneAsync($"{name}:1", ""","process_timeout":1,"process_max_retries":-1""");

        ((int)(await server.PostAsync($"{id}/cancel", "")).Status).ShouldBe(202);

        (await StatusAsync(id)).ShouldBe("cancelled");
        (await server.CompleteAsync(id, "{}")).Ok();
        (await StatusAsync(id)).ShouldBe("cancelled");
    }

    [Fact]
    public async Task Check12_round_robin()
    {
        var qa = await server.RegisterAsync();
        var qb = await server.RegisterAsync();
        var a = await PutAsync(qa, 3);
        var b = await PutAsync(qb, 1);

        ShouldBeTasks(await TakeAsync("round_robin", 2, $"{qa}:0", $"{qb}:0"), ($"{qa}:0", a[..1]), ($"{qb}:0", b));
        b = await PutAsync(qb, 1);
        a.AddRange(await PutAsync(qa, 1));
        ShouldBeTasks(await TakeAsync("round_robin", 4, $"{qa}:0", $"{qb}:0"), ($"{qa}:0", a[1..]), ($"{qb}:0", b));

        a = await PutAsync(qa, 2);
        await PutAsync(qb, 2);
        ShouldBeTasks(await TakeAsync("round_robin", 1, $"{qa}:0", $"{qb}:0"), ($"{qa}:0", a[..1]));
        ShouldBeTasks(await TakeAsync("round_robin", 1, $"{qa}:0", $"{qb}:0"), ($"{qa}:0", a[1..])); // no cursor between takes
    }

    [Fact]
    public async Task Check13_active_passive()
    {
        var qa = await server.RegisterAsync();
        var qb = await server.RegisterAsync();
        var a = await PutAsync(qa, 1);
        var b = await PutAsync(qb, 3);

        ShouldBeTasks(await TakeAsync("active_passive", 3, $"{qa}:0", $"{qb}:0"), ($"{qa}:0", a), ($"{qb}:0", b[..2]));
        a = await PutAsync(qa, 12);
        ShouldBeTasks(await TakeAsync("active_passive", 12, $"{qa}:0", $"{qb}:0"), ($"{qa}:0", a));
    }

    [Fact]
    public async Task Check14_sequential()
    {
        var qa = await server.RegisterAsync();
        var qb = await server.RegisterAsync();
        var a = await PutAsync(qa, 2, tier: 1);
        var b = await PutAsync(qb, 1, tier: 1);

        ShouldBeTasks(await TakeAsync("sequential", 1, $"{qa}:1", $"{qb}:1"), ($"{qa}:1", a[..1]), ($"{qb}:1", b));
        (await TakeAsync("sequential", 1, $"{qa}:1", $"{qb}:1")).GetRawText().ShouldBe("{}");
        (await server.CompleteAsync(a[0], "{}")).Ok();
        ShouldBeTasks(await TakeAsync("sequential", 1, $"{qa}:1", $"{qb}:1"), ($"{qa}:1", a[1..]));
        await server.PostAsync($"{a[1]}/cancel", "");
        a = await PutAsync(qa, 1, tier: 1);
        ShouldBeTasks(await TakeAsync("sequential", 1, $"{qa}:1", $"{qb}:1"), ($"{qa}:1", a));
    }

    [Fact]
    public async Task Check14_a_sequential_lock_covers_one_level_and_other_strategies_ignore_it()
    {
        var name = await server.RegisterAsync();
        var (online, offline) = (await PutAsync(name, 2), await PutAsync(name, 2, tier: 1));

        ShouldBeTasks(await TakeAsync("sequential", 1, $"{name}:0", $"{name}:1"), ($"{name}:0", online[..1]), ($"{name}:1", offline[..1]));
        ShouldBeTasks(await TakeAsync("fifo", 1, $"{name}:0"), ($"{name}:0", online[1..]));
        (await TakeAsync("sequential", 1, $"{name}:0")).GetRawText().ShouldBe("{}");
    }

    [Fact]
    public async Task Check14_clear_expiry_and_redelivery_release_a_sequential_lock()
    {
        var (cleared, lapsed) = (await server.RegisterAsync(), await server.RegisterAsync());
        var ids = await PutAsync(lapsed, 1, tier: 1);
        await PutAsync(cleared, 2, tier: 1);
        await TakeAsync("sequential", 1, $"{cleared}:1");

        (await server.ClearAsync($"{cleared}:1")).Ok();
        var fresh = await PutAsync(cleared, 1, tier: 1);
        ShouldBeTasks(await TakeAsync("sequential", 1, $"{cleared}:1"), ($"{cleared}:1", fresh));

        await TakeAsync("sequential", 1, [$"{lapsed}:1"], ""","process_timeout":1,"process_max_retries":1""");
        (await server.TakeFirstAsync($"{lapsed}:1", more:
            ""","strategy":"sequential" """)).GetProperty("task_id").GetString().ShouldBe(ids[0]);
    }

    [Fact]
    public async Task Check16_min_age()
    {
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, 0);
        const string Old = ""","min_age_seconds":3""";

        foreach (var strategy in new[] { "fifo", "round_robin", "active_passive", "sequential" })
            (await TakeAsync(strategy, 1, [$"{name}:0"], Old)).GetRawText().ShouldBe("{}");

        var task = await server.TakeFirstAsync($"{name}:0", more: Old);
        task.GetProperty("task_id").GetString().ShouldBe(id);
        (TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - task.GetProperty("start_time").GetInt64())
            .ShouldBeGreaterThanOrEqualTo(3000);
    }

    [Fact]
    public async Task Check17_process_timeout()
    {
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name);
        const string Tracked = ""","process_timeout":1,"process_max_retries":1""";
        var first = (await server.TakeAsync($"{name}:1", 1, Tracked)).GetProperty($"{name}:1")[0];

        var second = await server.TakeFirstAsync($"{name}:1", more: Tracked);

        second.GetProperty("task_id").GetString().ShouldBe(id);
        second.GetProperty("start_time").GetInt64().ShouldBe(first.GetProperty("start_time").GetInt64());
        second.GetProperty("status").GetString().ShouldBe("queued");
        await Eventually.UntilAsync(async () => await StatusAsync(id) == "succeeded", Deadline, "the task was given up");
        ShouldBeJson((await server.GetAsync(id)).Ok().GetProperty("result"), $$"""{"status_code":"408","request_id":"{{id}}"}""");
    }

    [Fact]
    public async Task Check17_a_redelivered_task_comes_first_and_an_online_task_is_never_redelivered()
    {
        var name = await server.RegisterAsync();
        var (offline, online) = (await PutAsync(name, 2, tier: 1), await PutAsync(name, 1));
        await server.TakeAsync($"{name}:1", 1, ""","process_timeout":1,"process_max_retries":-1""");
        await server.TakeAsync($"{name}:0", 1, ""","process_timeout":1,"process_max_retries":-1""");

        await Eventually.UntilAsync(async () => await StatusAsync(online[0]) == "succeeded", Deadline, "the online task was given up");
        await Eventually.UntilAsync(
            async () => (await server.TimelineAsync(offline[0])).Contains("retrying"), Deadline, "the offline task is back");

        ShouldBeTasks(await server.TakeAsync($"{name}:1", 2), ($"{name}:1", offline));
    }

    [Fact]
    public async Task Sixteen_takers_on_two_servers_keep_fifo_order()
    {
        var queues = new[] { await server.RegisterAsync(), await server.RegisterAsync(), await server.RegisterAsync() };
        var put = new List<string>();
        for (var n = 0; n < 240; n++)
            put.Add(await server.PutAsync(queues[n % queues.Length]));
        var takes = await TakeAllAsync("fifo", 3, queues);

        takes.SelectMany(t => t.Ids).Order(StringComparer.Ordinal).ShouldBe(put.Order(StringComparer.Ordinal));
        // Every task of a take is older than every task of a take that began after it had ended.
        var place = put.Select((id, n) => (id, n)).ToDictionary(p => p.id, p => p.n);
        foreach (var (one, later) in takes.SelectMany(t => takes.Where(l => l.Began > t.Ended).Select(l => (t, l))))
            one.Ids.Max(id => place[id]).ShouldBeLessThan(later.Ids.Min(id => place[id]));
    }

    [Theory]
    [InlineData("round_robin")]
    [InlineData("active_passive")]
    public async Task Sixteen_takers_on_two_servers_keep_each_queues_order(string strategy)
    {
        var queues = new[] { await server.RegisterAsync(), await server.RegisterAsync(), await server.RegisterAsync() };
        var put = new List<string>();
        for (var n = 0; n < 180; n++)
            put.Add(await server.PutAsync(queues[n % queues.Length]));
        var takes = await TakeAllAsync(strategy, 4, queues);

        takes.SelectMany(t => t.Ids).Order(StringComparer.Ordinal).ShouldBe(put.Order(StringComparer.Ordinal));
        var place = put.Select((id, n) => (id, n)).ToDictionary(p => p.id, p => p.n);
        foreach (var (one, later) in takes.SelectMany(t => takes.Where(l => l.Began > t.Ended).Select(l => (t, l))))
        {
            for (var q = 0; q < queues.Length; q++)
            {
                var (older, newer) = (one.Ids.Select(id => place[id]).Where(p => p % queues.Length == q),
                    later.Ids.Select(id => place[id]).Where(p => p % queues.Length == q));
                older.Append(-1).Max().ShouldBeLessThan(newer.Append(int.MaxValue).Min());
            }
        }
    }

    [Fact]
    public async Task Sixteen_takers_on_two_servers_run_a_sequential_queue_one_task_at_a_time()
    {
        var queues = new[] { await server.RegisterAsync(), await server.RegisterAsync() };
        var put = new List<string>();
        for (var n = 0; n < 60; n++)
            put.Add(await server.PutAsync(queues[n % queues.Length]));
        var done = new ConcurrentQueue<string>();
        var running = new ConcurrentDictionary<string, string>();

        await Task.WhenAll(Enumerable.Range(0, 16).Select(taker => Task.Run(async () =>
        {
            var http = taker % 2 == 0 ? server.Http : server.OtherHttp;
            var until = TimeProvider.System.GetUtcNow() + TimeSpan.FromMinutes(1);
            while (done.Count < put.Count && TimeProvider.System.GetUtcNow() < until)
            {
                foreach (var queue in (await BellaServer.TakeAtAsync(http, "sequential", 1, queues.Select(q => $"{q}:1")))
                    .EnumerateObject())
                {
                    var id = queue.Value.EnumerateArray().Single().GetProperty("task_id").GetString()!;
                    running.TryAdd(queue.Name, id).ShouldBeTrue($"{queue.Name} runs already");
                    running.TryRemove(queue.Name, out _);
                    done.Enqueue(id);
                    (await BellaServer.ReadAsync(await http.PostAsync(BellaServer.Uri($"{id}/complete"), new StringContent("{}")))).Ok();
                }
            }
        })));

        for (var q = 0; q < queues.Length; q++)
            done.Where(id => put.IndexOf(id) % queues.Length == q).ShouldBe(put.Where((_, n) => n % queues.Length == q));
    }

    [Fact]
    public async Task Check11_fifo_takes_at_most_ten_in_the_order_of_their_puts()
    {
        var name = await server.RegisterAsync();
        var ids = new List<string>();
        for (var put = 0; put < 15; put++)
            ids.Add(await server.PutAsync(name, 0));

        ShouldBeTasks(await server.TakeAsync($"{name}:0", 15), ($"{name}:0", ids[..10]));
        ShouldBeTasks(await server.TakeAsync($"{name}:0", 15), ($"{name}:0", ids[10..]));
    }

    private sealed record Taken(DateTimeOffset Began, DateTimeOffset Ended, IReadOnlyList<string> Ids);

    /// <summary>Sixteen takers on both servers, until nothing is left.</summary>
    private async Task<List<Taken>> TakeAllAsync(string strategy, int size, string[] queues)
    {
        var takes = new ConcurrentQueue<Taken>();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(taker => Task.Run(async () =>
        {
            while (true)
            {
                var began = TimeProvider.System.GetUtcNow();
                var tasks = await BellaServer.TakeAtAsync(
                    taker % 2 == 0 ? server.Http : server.OtherHttp, strategy, size, queues.Select(q => $"{q}:1"));
                var ids = tasks.EnumerateObject().SelectMany(q => q.Value.EnumerateArray())
                    .Select(t => t.GetProperty("task_id").GetString()!).ToList();
                if (ids.Count == 0)
                    return;
                takes.Enqueue(new Taken(began, TimeProvider.System.GetUtcNow(), ids));
            }
        })));
        return [.. takes];
    }

    private async Task<List<string>> PutAsync(string queue, int count, int tier = 0)
    {
        var ids = new List<string>();
        for (var n = 0; n < count; n++)
            ids.Add(await server.PutAsync(queue, tier));
        return ids;
    }

    private Task<JsonElement> TakeAsync(string strategy, int size, params string[] queues) => TakeAsync(strategy, size, queues, "");

    private Task<JsonElement> TakeAsync(string strategy, int size, string[] queues, string more) =>
        server.TakeAsync(string.Join(' ', queues), size, $""","strategy":"{strategy}"{more}""");
}
