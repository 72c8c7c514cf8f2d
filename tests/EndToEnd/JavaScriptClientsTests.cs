using System.Runtime.CompilerServices;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Clients in JavaScript, unmodified. Each does what docs/compatibility.md says of it.</summary>
public sealed class JavaScriptClientsTests(ModelsOnServers server) : IClassFixture<ModelsOnServers>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(4);

    [Fact]
    public Task The_client_of_OpenAI() => RunAsync("openai-calls.mjs", "openai");

    [Fact]
    public Task The_client_of_OpenAI_before_version_5() => RunAsync("openai-calls.mjs", "openai-4");

    [Fact]
    public Task The_AI_SDK_of_Vercel() => RunAsync("vercel.mjs");

    [Fact]
    public Task LangChain() => RunAsync("langchain.mjs");

    private async Task RunAsync(string script, string? package = null, [CallerMemberName] string test = "")
    {
        var folder = Repository.Clients;

        using var node = new Command("node",
            [Path.Combine(folder, script), server.BaseUrl.ToString(), ModelStack.Key, package ?? ""]);
        var status = await node.WaitAsync(Deadline);

        status.ShouldBe(0, node.Output);
        node.Results.Where(l => l.StartsWith("ok ", StringComparison.Ordinal)).Select(l => l[3..])
            .ShouldBe(CompatibilityTable.RowOf($"{nameof(JavaScriptClientsTests)}.{test}").Works);
    }
}
