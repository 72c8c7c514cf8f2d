using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using StandardWebhooks;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

public sealed class SqliteVerifyingServer() : TenantServer(DatabaseProvider.Sqlite, verifies: true);

public sealed class PostgresVerifyingServer() : TenantServer(DatabaseProvider.Postgres, verifies: true);

/// <summary>Receivers that must answer a challenge before they get callbacks.</summary>
public abstract class CallbackVerificationTests(TenantServer server)
{
    private const string Challenge = "endpoint.verification";

    public sealed class OnSqlite(SqliteVerifyingServer server) : CallbackVerificationTests(server), IClassFixture<SqliteVerifyingServer>;

    public sealed class OnPostgres(PostgresVerifyingServer server)
        : CallbackVerificationTests(server), IClassFixture<PostgresVerifyingServer>;

    [Theory]
    [InlineData("{0}")]
    [InlineData("\"{0}\"\n")]
    [InlineData("{\"challenge\":\"{0}\"}")]
    public async Task A_receiver_is_challenged_once_for_each_owner(string answer)
    {
        await using var receiver = await TestReceiver.StartAsync();
        receiver.Answer = (context, _) => AnswerAsync(context, receiver, answer);
        foreach (var owner in new[] { "ann", "ann", "ben" })
            (await DeliveredAsync(owner, await server.SubmitAsync(owner, $"{receiver.Url}/x"))).GetProperty("log").EnumerateArray().Last()
                .Whole("status").ShouldBe(200);

        receiver.All.Select(r => (r.Headers["taskqueue-event"], r.Headers["taskqueue-owner"])).ShouldBe(
            [(Challenge, "ann"), ("task.completed", "ann"), ("task.completed", "ann"), (Challenge, "ben"), ("task.completed", "ben")]);
        var first = receiver.All.First();
        JsonDocument.Parse(first.Body).RootElement.Names().ShouldBe(["type", "challenge"]);
        var headers = new HeaderDictionary();
        foreach (var (name, value) in first.Headers)
            headers[name] = value;
        var secret = (await server["ann"].ReadAsync("/webhooks/secret")).Json.GetProperty("secrets")[0].GetString()!;
        new StandardWebhook(secret).Verify(first.Body, headers);
    }

    [Fact]
    public async Task Callbacks_wait_for_the_receivers_verification_and_their_log_has_the_reason()
    {
        await using var receiver = await TestReceiver.StartAsync();
        receiver.Answer = (context, _) => context.Response.WriteAsync(receiver.All.Last().Body, context.RequestAborted); // whatever it gets
        var ids = new[] { await server.SubmitAsync("ann", $"{receiver.Url}/1"), await server.SubmitAsync("ann", $"{receiver.Url}/2") };
        foreach (var id in ids)
        {
            var waiting = await server["ann"].CallbackAsync(id, c => c.GetProperty("log").GetArrayLength() > 0);
            waiting.Text("state").ShouldBe("waiting");
            var entry = waiting.GetProperty("log").EnumerateArray().ShouldHaveSingleItem();
            entry.Text("error")!.ShouldStartWith("waiting until the receiver is verified");
            entry.GetProperty("status").ValueKind.ShouldBe(JsonValueKind.Null);
        }

        receiver.All.ShouldHaveSingleItem().Headers["taskqueue-event"].ShouldBe(Challenge);
        receiver.Answer = (context, _) => AnswerAsync(context, receiver, "{0}");
        await using (var db = server.Database.CreateContext())
        {
            // A minute later.
            var origin = CallbackOrigin.Of(receiver.Url);
            await db.Set<WebhookReceiver>().Where(r => r.Origin == origin)
                .ExecuteUpdateAsync(s => s.SetProperty(r => r.ChallengedAt, DateTime.UnixEpoch));
            await db.Callbacks.Where(c => c.Origin == origin).ExecuteUpdateAsync(s => s.SetProperty(c => c.DueAt, DateTime.UnixEpoch));
        }

        foreach (var id in ids)
            (await DeliveredAsync("ann", id)).GetProperty("log").GetArrayLength().ShouldBe(2);
        receiver.All.Select(r => r.Headers["taskqueue-event"]).Order().ShouldBe([Challenge, Challenge, "task.completed", "task.completed"]);
    }

    private Task<JsonElement> DeliveredAsync(string owner, Guid id) => server[owner].CallbackAsync(id, c => c.Text("state") == "delivered");

    private static Task AnswerAsync(HttpContext context, TestReceiver receiver, string answer)
    {
        if (context.Request.Headers["taskqueue-event"] != Challenge)
            return Task.CompletedTask;
        var id = context.Request.Headers["webhook-id"].ToString();
        var challenge = JsonDocument.Parse(receiver.All.Single(r => r.Headers["webhook-id"] == id).Body).RootElement.Text("challenge");
        return context.Response.WriteAsync(answer.Replace("{0}", challenge, StringComparison.Ordinal), context.RequestAborted);
    }
}
