using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>RPC by scope by tenant by queue pattern, over gRPC: what <see cref="AccessTable"/> says of the routes of JSON.</summary>
public sealed class MoabGrpcAccessTests(AccessServer server) : IClassFixture<AccessServer>
{
    private const string Route = "POST /moab/";

    public static TheoryData<string> Routes => [.. AccessTable.Rows.Keys.Where(r => r.StartsWith(Route, StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task An_RPC_reaches_only_what_its_callers_may_see(string route)
    {
        var (seen, probe) = AccessTable.Rows[route];
        var reached = new List<string>();
        foreach (var caller in AccessServer.Callers)
        {
            var target = await probe(server);
            using var client = new MoabGrpcTransport(server.Host.Http.BaseAddress!, TestKeys.Of(caller));
            var reply = await client.CallAsync(route[Route.Length..], JsonSerializer.Serialize(target.Body));
            var what = $"{caller} {route}: {reply.Text}";
            if (await AccessTableTests.IsReachedAsync(server, target, reply.Status, () => Task.FromResult(reply.Text), what))
                reached.Add(caller);
        }

        reached.ShouldBe(seen.Split(' ', StringSplitOptions.RemoveEmptyEntries), ignoreOrder: true, route);
    }
}
