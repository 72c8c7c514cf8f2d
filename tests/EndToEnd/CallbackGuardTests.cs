using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Scheduler.Callbacks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Addresses that a server with default settings does not call. Names resolve to addresses that a test sets.</summary>
public sealed class CallbackGuardTests : IAsyncLifetime
{
    private readonly ConcurrentQueue<string> _asked = new();
    private TestDatabase _database = null!;
    private TestHost _host = null!;
    private IPAddress[] _addresses = [];

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        _host = await TestHost.StartAsync(_database.ConnectionString, settings: new Dictionary<string, string?>
        {
            ["Logging:LogLevel:Default"] = "Error",
        }, services: s => s.AddSingleton<ResolveHost>(Resolve));
    }

    public async Task DisposeAsync()
    {
        await _host.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData("http://127.0.0.1/x")]
    [InlineData("http://localhost:9/x")]
    [InlineData("http://[::1]/x")]
    [InlineData("http://2130706433/x")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://metadata.google.internal/computeMetadata/v1/")]
    [InlineData("http://example.com:0/")]
    [InlineData("http://example.com\\\\@localhost/")]
    [InlineData("http://134744072/")]
    [InlineData("http://user:secret@example.com/")]
    [InlineData("ftp://example.com/")]
    [InlineData("http://cb/\\u0000")]
    [InlineData("nonsense")]
    public async Task A_disallowed_URL_is_refused_at_submission(string url)
    {
        (await _host.Http.PostAsync("/v1/queue/register", """{"queue":"q","endpoint":"/x"}""")).Status.ShouldBe(200);
        foreach (var (path, body) in new[]
        {
            ("/tasks", $$"""{"action":"a","callback_url":"{{url}}"}"""),
            ("/tasks/bulk", $$"""{"tasks":[{"action":"a"},{"action":"a","callback_url":"{{url}}"}]}"""),
            ("/v1/queue/put", $$"""{"queue":"q","endpoint":"/x","data":{},"callback_url":"{{url}}"}"""),
        })
        {
            var refused = await _host.Http.PostAsync(path, body);
            refused.Status.ShouldBe(400, refused.Text);
            refused.Text.ShouldContain("callback_url");
        }

        (await _host.Http.ReadAsync("/tasks")).Json.Whole("count").ShouldBe(0);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("93.184.216.34 10.0.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("168.63.129.16")]
    [InlineData("fd00:ec2::254")]
    [InlineData("64:ff9b::a9fe:a9fe")]
    public async Task A_name_with_a_private_address_is_refused_at_sending_and_not_retried(string addresses)
    {
        await using var receiver = await TestReceiver.StartAsync();
        _addresses = [.. addresses.Split(' ').Select(IPAddress.Parse)];

        var id = await _host.Http.SubmitAsync(new { action = "a", callback_url = $"http://hooks.example:{new Uri(receiver.Url).Port}/x" });

        var callback = await _host.Http.CallbackAsync(id, c => c.Text("state") == "failed");
        var entry = callback.GetProperty("log").EnumerateArray().ShouldHaveSingleItem();
        entry.Text("error").ShouldBe("the address is not allowed");
        _asked.ShouldBe(["hooks.example"]);
        receiver.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_callback_submitted_before_address_checks_existed_is_refused_when_sent()
    {
        await using var receiver = await TestReceiver.StartAsync();
        var subject = await _host.Http.SubmitAsync(new { action = "a" });
        await using (var db = _database.CreateContext())
        {
            db.Callbacks.Add(new() { SubjectId = subject, Url = $"{receiver.Url}/x", Body = "{}", DueAt = DateTime.UnixEpoch,
                CreatedAt = DateTime.UnixEpoch });
            await db.SaveChangesAsync();
        }

        var callback = await _host.Http.CallbackAsync(subject, c => c.Text("state") == "failed");

        callback.GetProperty("log").EnumerateArray().ShouldHaveSingleItem().Text("error")!.ShouldContain("AllowPrivateNetworks");
        receiver.All.ShouldBeEmpty();
    }

    private Task<IPAddress[]> Resolve(string host, CancellationToken cancellationToken)
    {
        _asked.Enqueue(host);
        return Task.FromResult(_addresses);
    }
}
