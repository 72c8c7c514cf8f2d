using System.Globalization;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Keys whose holders use Bella's dialect without saying so.</summary>
public sealed class BellaKeysTests
{
    [Fact]
    public async Task A_key_that_is_listed_gets_Bellas_dialect_without_a_header()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = new Dictionary<string, string?>(BellaServer.Settings)
        {
            ["TaskQueue:Bella:Dialect"] = "openai",
            ["TaskQueue:Bella:Keys:0"] = "ann", // the name of key A
        };
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);

        (await IsBellaAsync(host.Http, "A")).ShouldBeTrue();
        (await IsBellaAsync(host.Http, "B")).ShouldBeFalse();
        (await IsBellaAsync(host.Http, "A", ("X-Stainless-Lang", "python"))).ShouldBeFalse();
        (await IsBellaAsync(host.Http, "A", ("X-Bella-Dialect", "openai"))).ShouldBeFalse();
        (await IsBellaAsync(host.Http, "B", ("X-Bella-Dialect", "bella"))).ShouldBeTrue();
    }

    /// <summary>Whether times are milliseconds.</summary>
    private static async Task<bool> IsBellaAsync(HttpClient http, string key, params (string Name, string Value)[] headers)
    {
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent("{}"u8.ToArray()), "file", "in.jsonl" } };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/v1/files", UriKind.Relative)) { Content = form };
        request.Headers.Add("Authorization", $"Bearer {TestKeys.Of(key)}");
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        var file = (await BellaServer.ReadAsync(await http.SendAsync(request))).Ok();
        return file.GetProperty("created_at").GetInt64().ToString(CultureInfo.InvariantCulture).Length == 13;
    }
}
