using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Http.Adapters;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Ping;

/// <summary>A newcomer's first step: a separate API, in one folder and one line of registration.</summary>
public sealed class PingAdapterTests
{
    [Fact]
    public async Task An_additional_adapter_submits_a_task_and_returns_the_workers_result()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString, services: s =>
            s.AddSingleton<IHttpAdapter, PingAdapter>());
        var asking = host.Http.PostAsync(new Uri("/ping-task", UriKind.Relative), null);

        var task = (await PostAsync(host, "/workers/claim",
            """{"queues":["pings"],"worker":"w","wait_seconds":20}""")).GetProperty("tasks")[0];
        await PostAsync(host, "/workers/report",
            $$"""{"tasks":[{"id":"{{task.GetProperty("id")}}","attempt":{{task.GetProperty("attempt")}}"""
            + ""","outcome":"completed","result":"pong"}]}""");

        (await (await asking).Content.ReadAsStringAsync()).ShouldBe("\"pong\"");
    }

    private static async Task<JsonElement> PostAsync(TestHost host, string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await host.Http.PostAsync(new Uri(path, UriKind.Relative), content);
        return await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>();
    }

    [Fact]
    public void It_is_shorter_than_60_lines() =>
        File.ReadLines(Repository.FileAt("tests", "Ping", "PingAdapter.cs")).Count().ShouldBeLessThan(60);
}
