using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// The acceptance check of files, and other client input. Files stored on one server are read on the other, if there is one.
/// </summary>
public abstract partial class FilesApiTests(BellaServer server)
{
    private const string Boundary = "------------------------d74496d66958873e";

    public sealed class OnSqlite(BellaOnSqlite server) : FilesApiTests(server), IClassFixture<BellaOnSqlite>;

    public sealed class OnPostgresAndRabbitMq(BellaOnPostgres server) : FilesApiTests(server), IClassFixture<BellaOnPostgres>;

    public sealed class OnS3(BellaOnS3 server) : FilesApiTests(server), IClassFixture<BellaOnS3>;

    [Fact]
    public async Task Check25_files()
    {
        var content = RandomNumberGenerator.GetBytes(700_000); // three chunks where the database holds them

        var file = (await UploadAsync(content)).Ok();
        var id = file.GetProperty("id").GetString()!;

        Keys(file).ShouldBe("bytes created_at filename id object purpose");
        id.ShouldMatch(@"^file-\d{22}-\d{9}$");
        file.GetProperty("object").GetString().ShouldBe("file");
        file.GetProperty("bytes").GetInt64().ShouldBe(content.Length);
        file.GetProperty("created_at").GetInt64().ShouldBeInRange(1_000_000_000_000, 9_999_999_999_999);
        file.GetProperty("filename").GetString().ShouldBe("in.jsonl");
        file.GetProperty("purpose").GetString().ShouldBe("batch");
        (await server.OtherHttp.GetByteArrayAsync(Uri($"/{id}/content"))).ShouldBe(content);
        Ids((await SendAsync("GET", "?purpose=batch")).Ok()).ShouldContain(id);
        Ids((await SendAsync("GET", "?purpose=vision")).Ok()).ShouldNotContain(id);
        ShouldBeError(await SendAsync("GET", "?limit=0"), 400);

        var deleted = (await SendAsync("DELETE", $"/{id}")).Ok();
        (Keys(deleted), deleted.GetProperty("id").GetString(), deleted.GetProperty("object").GetString(),
            deleted.GetProperty("deleted").GetBoolean())
            .ShouldBe(("deleted id object", id, "file", true));
        foreach (var gone in new[] { $"/{id}", $"/{id}/content" })
            ShouldBeError(await SendAsync("GET", gone), 404);
        ShouldBeError(await SendAsync("DELETE", $"/{id}"), 404);
    }

    [Fact]
    public async Task Check25_in_the_dialect_of_OpenAI()
    {
        var file = (await UploadAsync("x"u8.ToArray(), openAI: true)).Ok();

        Keys(file).ShouldBe("bytes created_at expires_at filename id object purpose status status_details");
        file.GetProperty("created_at").GetInt64().ShouldBeInRange(1_000_000_000, 9_999_999_999);
        file.GetProperty("status").GetString().ShouldBe("processed");
        file.GetProperty("expires_at").ValueKind.ShouldBe(JsonValueKind.Null);
        ShouldBeError(await UploadAsync("x"u8.ToArray(), purpose: "fun", openAI: true), 400);
        (await UploadAsync("x"u8.ToArray(), purpose: "fun")).Ok().GetProperty("purpose").GetString().ShouldBe("temp");
    }

    [Theory]
    [InlineData("bytes=0-9", 0, 10)]
    [InlineData("bytes=262140-262150", 262_140, 11)]
    [InlineData("bytes=599990-", 599_990, 10)]
    [InlineData("bytes=-5", 599_995, 5)]
    public async Task Ranges(string range, int from, int length)
    {
        var content = RandomNumberGenerator.GetBytes(600_000);
        var id = (await UploadAsync(content)).Ok().GetProperty("id").GetString();

        using var request = new HttpRequestMessage(HttpMethod.Get, Uri($"/{id}/content"));
        request.Headers.Range = RangeHeaderValue.Parse(range);
        using var part = await server.OtherHttp.SendAsync(request);

        part.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
        part.Content.Headers.ContentType!.MediaType.ShouldBe("application/octet-stream");
        (await part.Content.ReadAsByteArrayAsync()).ShouldBe(content.AsSpan(from, length).ToArray());
    }

    [Fact]
    public async Task A_range_beyond_the_end_is_416()
    {
        var id = (await UploadAsync("x"u8.ToArray())).Ok().GetProperty("id").GetString();

        using var request = new HttpRequestMessage(HttpMethod.Get, Uri($"/{id}/content"));
        request.Headers.Range = new RangeHeaderValue(100, 200);
        using var refused = await server.Http.SendAsync(request);

        refused.StatusCode.ShouldBe(HttpStatusCode.RequestedRangeNotSatisfiable);
    }

    [Fact]
    public async Task Lists_are_paged_in_both_orders()
    {
        var ids = new List<string>();
        for (var n = 0; n < 5; n++)
            ids.Add((await UploadAsync("x"u8.ToArray(), purpose: "evals")).Ok().GetProperty("id").GetString()!);
        ids.AddRange([.. Ids((await SendAsync("GET", "?purpose=evals&order=asc")).Ok()).Except(ids)]);
        ids.Sort(StringComparer.Ordinal);

        (await PagesAsync("asc")).ShouldBe(ids);
        ids.Reverse();
        (await PagesAsync("desc")).ShouldBe(ids);
        foreach (var query in new[] { "?limit=10001", "?limit=x", "?order=up", "?after=file-1" })
            ShouldBeError(await SendAsync("GET", query), 400);
    }

    [Theory]
    [InlineData("multipart/form-data", "")]
    [InlineData("application/json", "{}")]
    [InlineData("multipart/form-data; boundary=" + Boundary,
        "--" + Boundary + "\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--" + Boundary + "--\r\n")]
    [InlineData("multipart/form-data; boundary=" + Boundary,
        "--" + Boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"broken-off\"\r\n\r\nonly the first ha")]
    [InlineData("multipart/form-data; boundary=" + Boundary,
        "--" + Boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"one\"\r\n\r\n1\r\n"
        + "--" + Boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"two\"\r\n\r\n2\r\n"
        + "--" + Boundary + "--\r\n")]
    [InlineData("multipart/form-data; boundary=" + Boundary, "")]
    public async Task A_broken_upload_is_400_and_leaves_nothing(string type, string body)
    {
        var before = Ids((await SendAsync("GET", "")).Ok());
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);

        ShouldBeError(await BellaServer.ReadAsync(await server.Http.PostAsync(Uri(""), content)), 400);

        Ids((await SendAsync("GET", "")).Ok()).Except(before).ShouldBeEmpty();
        (await server.FilesLeftAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task The_purpose_may_follow_the_file_and_other_fields_are_ignored()
    {
        using var form = new MultipartFormDataContent();
        form.Add(new ByteArrayContent("x"u8.ToArray()), "file", "späte Zwecke.jsonl");
        form.Add(new StringContent("{\"a\":1}"), "metadata");
        form.Add(new StringContent("vision"), "purpose");

        var file = (await BellaServer.ReadAsync(await server.Http.PostAsync(Uri(""), form))).Ok();

        file.GetProperty("purpose").GetString().ShouldBe("vision");
        file.GetProperty("filename").GetString()!.ShouldContain("Zwecke");
    }

    [Fact]
    public async Task A_huge_upload_is_413_before_it_is_sent()
    {
        using var content = new StreamContent(new EndlessStream());
        content.Headers.ContentType = MediaTypeHeaderValue.Parse($"multipart/form-data; boundary={Boundary}");
        content.Headers.ContentLength = 600L * 1024 * 1024;
        using var request = new HttpRequestMessage(HttpMethod.Post, Uri("")) { Content = content };
        request.Headers.ExpectContinue = true;

        var reply = await BellaServer.ReadAsync(await server.Http.SendAsync(request));

        ShouldBeError(reply, 413);
        reply.Body.ShouldContain("536870912");
        EndlessStream.Reads.ShouldBe(0);
    }

    [Fact]
    public async Task Every_key_sees_only_its_own_files()
    {
        var id = (await UploadAsync("x"u8.ToArray())).Ok().GetProperty("id").GetString();

        foreach (var (method, path) in new[] { ("GET", $"/{id}"), ("GET", $"/{id}/content"), ("DELETE", $"/{id}") })
            ShouldBeError(await SendAsync(method, path, "B"), 404);
        Ids((await SendAsync("GET", "", "B")).Ok()).ShouldNotContain(id);
        ShouldBeError(await SendAsync("GET", "", "C"), 401);
        (await SendAsync("GET", $"/{id}")).Ok();
    }

    private async Task<List<string>> PagesAsync(string order)
    {
        var all = new List<string>();
        while (true)
        {
            var page = (await SendAsync("GET", $"?purpose=evals&limit=2&order={order}{(all.Count > 0 ? $"&after={all[^1]}" : "")}")).Ok();
            Keys(page).ShouldBe("data first_id has_more last_id object");
            var ids = Ids(page);
            (page.GetProperty("first_id").GetString(), page.GetProperty("last_id").GetString())
                .ShouldBe((ids.FirstOrDefault(), ids.LastOrDefault()));
            all.AddRange(ids);
            if (!page.GetProperty("has_more").GetBoolean())
                return all;
        }
    }

    private async Task<BellaReply> UploadAsync(byte[] content, string purpose = "batch", bool openAI = false)
    {
        using var form = new MultipartFormDataContent { { new StringContent(purpose), "purpose" },
            { new ByteArrayContent(content), "file", "in.jsonl" } };
        using var request = new HttpRequestMessage(HttpMethod.Post, Uri("")) { Content = form };
        if (openAI)
            request.Headers.Add("X-Stainless-Lang", "python");
        return await BellaServer.ReadAsync(await server.Http.SendAsync(request));
    }

    private async Task<BellaReply> SendAsync(string method, string path, string key = "A", string? dialect = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), Uri(path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", TestKeys.Of(key));
        if (dialect is not null)
            request.Headers.Add("X-Bella-Dialect", dialect);
        return await BellaServer.ReadAsync(await server.Http.SendAsync(request));
    }

    private static Uri Uri(string path) => new($"/v1/files{path}", UriKind.Relative);

    private static List<string> Ids(JsonElement list) =>
        [.. list.GetProperty("data").EnumerateArray().Select(f => f.GetProperty("id").GetString()!)];

    private static string Keys(JsonElement value) =>
        string.Join(' ', value.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal));

    private static void ShouldBeError(BellaReply reply, int status)
    {
        ((int)reply.Status).ShouldBe(status, reply.Body);
        var error = reply.Json.GetProperty("error");
        error.GetProperty("message").GetString().ShouldNotBeNullOrWhiteSpace();
        error.GetProperty("type").GetString().ShouldBe("invalid_request_error");
    }

    /// <summary>What a client would send if the server let it.</summary>
    private sealed class EndlessStream : MemoryStream
    {
        public static int Reads { get; private set; }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Reads++;
            return ValueTask.FromResult(buffer.Length);
        }
    }
}
