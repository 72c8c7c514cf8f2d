using System.Text.Json;
using Shouldly;
using TaskQueue.Api.Auth;
using TaskQueue.Engine.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What is hidden of payloads, and from whom.</summary>
public sealed class RedactionTests
{
    [Theory]
    [InlineData("""{"a":{"Password":{"x":[1,{"y":2}]},"b":1},"PASSWORD":"s"}""", """{"a":{"Password":"***","b":1},"PASSWORD":"***"}""")]
    [InlineData("""[ {"token" : null } , "password" , {"b":"\ud800"}]""", """[ {"token" : "***" } , "password" , {"b":"\ud800"}]""")]
    [InlineData("""{"passwort":1}""", """{"passwort":1}""")]
    [InlineData("not json with a password", "\"***\"")]
    [InlineData("""{"\ud800":1}""", "\"***\"")]
    public void Members_are_hidden_at_any_depth_and_the_rest_is_as_it_was(string json, string shown) =>
        new Veil(["password", "token"]).Cover(json).ShouldBe(shown);

    [Fact]
    public async Task Readers_do_not_see_what_is_hidden_and_workers_and_administrators_do()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = AuthServer.Settings();
        settings["TaskQueue:Redaction:Members:0"] = "pin";
        settings["TaskQueue:Auth:ApiKeys:0:Scopes:1"] = "read";
        settings["TaskQueue:Auth:ApiKeys:0:Scopes:2"] = "work";
        settings["TaskQueue:Auth:ApiKeys:0:Queues:0"] = "*";
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);
        var native = JsonDocument.Parse(await TextAsync(host, "POST", "/tasks", "enqueue", """{"action":"a","queue":"q","data":{"pin":"4711"}}""")).RootElement.Id();
        await TextAsync(host, "POST", "/v1/queue/register", "enqueue", """{"queue":"b","endpoint":"/x"}""");
        var bella = JsonDocument.Parse(await TextAsync(host, "POST", "/v1/queue/put", "enqueue", """{"queue":"b","endpoint":"/x","level":1,"data":{"pin":"4711"}}""")).RootElement.Text("data");
        await TextAsync(host, "POST", "/moab/CreateQueue", "admin", """{"name":"m","keepalive_timeout_in_seconds":5}""");
        var moab = await TextAsync(host, "POST", "/moab/Enqueue", "enqueue", """{"queue_name":"m","entries":[{"payload":"{\"pin\":\"4711\"}"}]}""");
        moab.ShouldContain("4711");
        var moabId = JsonDocument.Parse(moab).RootElement.GetProperty("tasks")[0].Text("id");

        foreach (var (method, path, body) in new[]
        {
            ("GET", "/tasks", ""), ("GET", $"/tasks/{native}", ""), ("GET", "/queues/q/tasks", ""), ("GET", $"/v1/queue/{bella}", ""),
            ("POST", "/moab/GetTask", $$"""{"queue_name":"m","task_id":"{{moabId}}"}"""), ("POST", "/moab/ListTasks", """{"queue_name":"m","state":"ENQUEUED"}"""),
        })
        {
            var seen = await TextAsync(host, method, path, "enqueue", body);
            seen.ShouldContain("***", Case.Sensitive, path);
            seen.ShouldNotContain("4711", Case.Sensitive, path);
            (await TextAsync(host, method, path, "admin", body)).ShouldContain("4711", Case.Sensitive, path);
        }

        (await TextAsync(host, "POST", "/workers/claim", "enqueue", """{"queues":["q"],"worker":"w"}""")).ShouldContain("4711");
        (await TextAsync(host, "POST", "/v1/queue/take", "enqueue", """{"queues":["b:1"],"size":1}""")).ShouldContain("4711");
        (await TextAsync(host, "POST", "/moab/Dequeue", "enqueue", """{"queue_name":"m"}""")).ShouldContain("4711");
    }

    private static async Task<string> TextAsync(TestHost host, string method, string path, string key, string body)
    {
        using var answer = await AuthServer.SendAsync(host.Http, method, path, $"Bearer key-{key}", body);
        var text = await answer.Content.ReadAsStringAsync();
        answer.IsSuccessStatusCode.ShouldBeTrue($"{path}: {text}");
        return text;
    }
}
