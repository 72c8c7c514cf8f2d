using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Files;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

public abstract partial class FilesApiTests
{
    [Fact]
    public async Task File_lists_match_the_single_file_routes_in_both_dialects()
    {
        var id = (await UploadAsync("x"u8.ToArray(), purpose: "vision")).Ok().GetProperty("id").GetString();
        foreach (var dialect in new[] { "bella", "openai" })
        {
            var one = (await SendAsync("GET", $"/{id}", dialect: dialect)).Ok();
            var list = (await SendAsync("GET", "?purpose=vision", dialect: dialect)).Ok();

            var listed = list.GetProperty("data").EnumerateArray().Single(f => f.GetProperty("id").GetString() == id);
            listed.GetRawText().ShouldBe(one.GetRawText());
            (dialect == "openai")
                .ShouldBe(one.TryGetProperty("status_details", out var details) && details.ValueKind == JsonValueKind.Null);
        }
    }

    [Fact]
    public async Task A_list_without_files_has_all_of_its_members()
    {
        var list = (await SendAsync("GET", "", "B", "openai")).Ok();

        list.GetRawText().ShouldBe("""{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}""");
        (await SendAsync("GET", "", "B")).Ok().GetRawText().ShouldBe("""{"object":"list","data":[],"has_more":false}""");
    }

    [Fact]
    public async Task Files_written_by_a_batch_have_the_purpose_of_its_dialect()
    {
        var file = await server.Services.GetRequiredService<FileService>()
            .CreateAsync("ann", "batch_output", "out.jsonl", new MemoryStream("x"u8.ToArray()), 10, default);

        foreach (var (dialect, purpose) in new[] { ("bella", "batch"), ("openai", "batch_output") })
        {
            (await SendAsync("GET", $"/{file.Id}", dialect: dialect)).Ok().GetProperty("purpose").GetString().ShouldBe(purpose);
            Ids((await SendAsync("GET", $"?purpose={purpose}", dialect: dialect)).Ok()).ShouldContain(file.Id);
        }

        Ids((await SendAsync("GET", "?purpose=batch", dialect: "openai")).Ok()).ShouldNotContain(file.Id);
        ShouldBeError(await SendAsync("GET", "?purpose=fun", dialect: "openai"), 400);
    }

    [Fact]
    public async Task File_contents_are_sent_as_uncached_attachments_of_unknown_type()
    {
        var id = (await UploadAsync([0, 255, 13, 10])).Ok().GetProperty("id").GetString();

        using var content = await server.OtherHttp.GetAsync(Uri($"/{id}/content"));

        content.Content.Headers.ContentType!.ToString().ShouldBe("application/octet-stream");
        content.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("attachment");
        content.Content.Headers.ContentDisposition.FileName.ShouldBe("in.jsonl");
        content.Content.Headers.ContentLength.ShouldBe(4);
        content.Headers.AcceptRanges.ShouldBe(["bytes"]);
        content.Headers.CacheControl!.NoCache.ShouldBeTrue();
    }

    [Fact]
    public async Task An_empty_file_is_a_file()
    {
        var file = (await UploadAsync([])).Ok();

        file.GetProperty("bytes").GetInt64().ShouldBe(0);
        (await server.OtherHttp.GetByteArrayAsync(Uri($"/{file.GetProperty("id").GetString()}/content"))).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("sp\\\"ate.txt", "sp\"ate.txt")]
    [InlineData("größe 😀.jsonl", "größe 😀.jsonl")]
    [InlineData("../../etc/passwd", "../../etc/passwd")]
    public async Task A_file_name_is_kept_unchanged(string sent, string kept)
    {
        var file = (await PostAsync(Part($"name=\"file\"; filename=\"{sent}\"", "x"))).Ok();

        file.GetProperty("filename").GetString().ShouldBe(kept);
        file.GetProperty("purpose").GetString().ShouldBe("temp");
        (await server.OtherHttp.GetByteArrayAsync(Uri($"/{file.GetProperty("id").GetString()}/content"))).ShouldBe("x"u8.ToArray());
    }

    [Fact]
    public async Task Wrong_parts_are_400_and_leave_nothing()
    {
        var good = Part("name=\"file\"; filename=\"a\"", "x");
        string[] bodies =
        [
            Part("name=\"file\"", "x"),
            Part("name=\"file\"; filename=\"\"", "x"),
            Part("name=\"attachment\"; filename=\"a\"", "x"),
            Part($"name=\"file\"; filename=\"{new string('a', 1025)}\"", "x"),
            good + Part("name=\"metadata\"", new string('x', (16 * 1024) + 1)),
            good + string.Concat(Enumerable.Range(0, 32).Select(n => Part($"name=\"tags{n}\"", "x"))),
            good + $"--{Boundary}\r\nX: y\r\n\r\nz\r\n",
        ];
        foreach (var body in bodies)
            ShouldBeError(await PostAsync(body), 400);

        ShouldBeError(await PostAsync(good, "openai"), 400); // without a purpose
        ShouldBeError(await PostAsync(good + Part("name=\"purpose\"", "fun"), "openai"), 400);
        (await server.FilesLeftAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task Invalid_queries_and_paths_are_refused_before_they_reach_the_database()
    {
        ShouldBeError(await SendAsync("GET", "?after=%00"), 400);
        ShouldBeError(await SendAsync("GET", "?after="), 400);
        ShouldBeError(await SendAsync("GET", "?limit="), 400);
        ShouldBeError(await SendAsync("GET", "?purpose=%00", dialect: "openai"), 400);
        (await SendAsync("GET", "?purpose=%00")).Ok();
        foreach (var id in new[] { "..%2f..%2fetc%2fpasswd", "file-%ed%a0%80", new string('a', 5000) })
            ShouldBeError(await SendAsync("GET", $"/{id}/content"), 404);
        ShouldBeError(await SendAsync("GET", "", dialect: "klingon"), 400);
    }

    private static string Part(string disposition, string value) =>
        $"--{Boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n";

    private async Task<BellaReply> PostAsync(string parts, string dialect = "bella")
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes($"{parts}--{Boundary}--\r\n"));
        content.Headers.ContentType = MediaTypeHeaderValue.Parse($"multipart/form-data; boundary={Boundary}");
        using var request = new HttpRequestMessage(HttpMethod.Post, Uri("")) { Content = content };
        request.Headers.Add("X-Bella-Dialect", dialect);
        return await BellaServer.ReadAsync(await server.Http.SendAsync(request));
    }
}
