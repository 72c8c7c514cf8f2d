using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary><c>taskqueue keys</c> and <c>taskqueue audit</c>.</summary>
public sealed class KeyCommandTests(KeyServer server) : IClassFixture<KeyServer>
{
    private readonly string _name = $"n{Guid.NewGuid():N}"[..12];

    [Fact]
    public async Task Keys_are_created_listed_rotated_and_revoked()
    {
        var created = await RunAsync("keys", "create", _name, "--tenant", "ann", "--scope", "enqueue", "--scope", "admin:mail-*",
            "--queue", "mail-*", "--expires", "90d", "--rate", "5", "--burst", "9", "--quota",
            """{"queues":2}""");
        created.ExitCode.ShouldBe(0, created.All);
        var key = created.Lines.ShouldHaveSingleItem();
        key.ShouldStartWith("tq_");
        (await server.CallAsync(key, "POST", "/tasks", new { action = "a", queue = "mail-1" })).Status.ShouldBe(202);

        var listed = (await RunAsync("keys", "list")).Done().Lines.Single(l => l.Contains($" {_name} ", StringComparison.Ordinal));
        listed.ShouldContain("enqueue,admin:mail-*");
        var id = listed.Split(' ')[0];
        var shown = (await RunAsync("keys", "list", id, "--json")).Done().Json;
        (shown.Text("name"), shown.GetProperty("rate").Whole("burst"), shown.GetProperty("quota").Whole("queues")).ShouldBe((_name, 9, 2));
        (await RunAsync("keys", "list", "--json")).Done().Text.ShouldNotContain(key);

        var rotated = (await RunAsync("keys", "rotate", id, "--overlap", "1h", "--json")).Done().Json;
        foreach (var valid in new[] { key, rotated.Text("key") })
            (await server.CallAsync(valid, "POST", "/tasks", new { action = "a", queue = "mail-1" })).Status.ShouldBe(202);
        (await RunAsync("keys", "revoke", id)).Done().Text.ShouldContain("revoked");
        (await server.CallAsync(key, "POST", "/tasks", new { action = "a", queue = "mail-1" }, from: "10.9.1.1")).Status.ShouldBe(401);

        (await RunAsync("keys", "revoke", id)).Refused(1, id);
        (await RunAsync("keys", "create", _name, "--burst", "1")).Refused(2, "--rate");
        (await RunAsync("keys", "create", _name, "--scope", "root")).Refused(1, "root");
        (await RunAsync("keys", "rotate", id, "--overlap", "soon")).Refused(2, "--overlap");

        var audit = (await RunAsync("audit", "--target", $"key/{id}", "--from", "1h")).Done();
        audit.Lines.Count(l => l.Contains("key.", StringComparison.Ordinal) && l.Contains("done", StringComparison.Ordinal)).ShouldBe(3);
        (await RunAsync("audit", "--action", "key.", "--limit", "2", "--json")).Done().Json.GetProperty("records").GetArrayLength()
            .ShouldBe(2);
        (await RunAsync("audit", "--from", "whenever")).Refused(2, "--from");
    }

    private Task<CommandRun> RunAsync(params string[] args) => CommandRun.OfAsync(server.Http.BaseAddress!, args, key: KeyServer.Boss);
}
