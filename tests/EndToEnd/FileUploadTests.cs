using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Uploads that are large, too large, or interrupted, as clients without an SDK send them.</summary>
public sealed class FileUploadTests : IAsyncLifetime
{
    private const int Limit = 128 * 1024 * 1024, MiB = 1024 * 1024;
    private const string Head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n", Tail = "\r\n--b--\r\n";

    private TestDatabase _database = null!;
    private TestHost _host = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        _host = await TestHost.StartAsync(_database.ConnectionString, settings: new Dictionary<string, string?>
        {
            ["TaskQueue:Files:MaxBytes"] = $"{Limit}",
            ["TaskQueue:Auth:ApiKeys:0:Name"] = "ann",
            ["TaskQueue:Auth:ApiKeys:0:Key"] = TestKeys.Of("A"),
            ["Logging:LogLevel:Default"] = "Error",
        });
        _host.Http.DefaultRequestHeaders.Authorization = new("Bearer", TestKeys.Of("A"));
    }

    public async Task DisposeAsync()
    {
        await _host.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData("A", 413)]
    [InlineData("B", 401)]
    public async Task An_upload_of_600_MB_is_refused_while_it_is_being_sent(string key, int status)
    {
        using var client = await ConnectAsync($"Content-Length: {600 * MiB}", key);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(Head));

        var answer = await ReadAnswerAsync(client);

        answer.ShouldStartWith($"HTTP/1.1 {status} ");
        answer.ShouldContain("\"type\":\"invalid_request_error\"");
        // The connection is not closed yet: data that the client is about to send is still read.
        await client.GetStream().WriteAsync(new byte[MiB]);
        (await RowsAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task An_upload_of_unknown_length_is_refused_as_soon_as_it_is_too_large()
    {
        using var client = await ConnectAsync("Transfer-Encoding: chunked");
        var stream = client.GetStream();
        await WriteChunkAsync(stream, Encoding.ASCII.GetBytes(Head));
        for (var sent = 0; sent <= Limit; sent += MiB)
            await WriteChunkAsync(stream, new byte[MiB]);

        (await ReadAnswerAsync(client)).ShouldStartWith("HTTP/1.1 413 "); // although the body has not ended

        (await RowsAsync()).ShouldBe(0);
        Directory.GetFiles(_database.Folder).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_disconnected_upload_leaves_nothing_behind()
    {
        using (var client = await ConnectAsync($"Content-Length: {10 * MiB}"))
        {
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(Head));
            await client.GetStream().WriteAsync(new byte[MiB]);
            await Eventually.UntilAsync(async () => await RowsAsync() == 1, TestHttp.Patience, "the upload has begun");
        }

        await Eventually.UntilAsync(
            async () => await RowsAsync() == 0 && Directory.GetFiles(_database.Folder).Length == 0,
            TestHttp.Patience, "nothing is left");
    }

    [Fact]
    public async Task A_large_upload_is_streamed_to_the_store()
    {
        using var content = new StreamContent(new WatchedSource(this, 96 * MiB));
        using var form = new MultipartFormDataContent("b") { { new StringContent("batch"), "purpose" }, { content, "file", "large" } };

        using var response = await _host.Http.PostAsync("/v1/files", form);

        (await BellaServer.ReadAsync(response)).Ok().GetProperty("bytes").GetInt64().ShouldBe(96 * MiB);
    }

    private long StoredBytes() => new DirectoryInfo(_database.Folder).GetFiles().Sum(f => f.Length);

    private async Task<int> RowsAsync()
    {
        await using var db = _database.CreateContext();
        return await db.Files.CountAsync();
    }

    private async Task<TcpClient> ConnectAsync(string framing, string key = "A")
    {
        var client = new TcpClient();
        await client.ConnectAsync(_host.Http.BaseAddress!.Host, _host.Http.BaseAddress.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /v1/files HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {TestKeys.Of(key)}\r\nContent-Type: multipart/form-data; "
                + $"boundary=b\r\n{framing}\r\n\r\n"));
        return client;
    }

    private static async Task WriteChunkAsync(NetworkStream stream, byte[] bytes)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n"));
        await stream.WriteAsync(bytes);
        await stream.WriteAsync("\r\n"u8.ToArray());
    }

    private static async Task<string> ReadAnswerAsync(TcpClient client)
    {
        using var deadline = new CancellationTokenSource(TestHttp.Patience);
        var (buffer, text) = (new byte[4096], "");
        while (!text.Contains("}}", StringComparison.Ordinal)
            && await client.GetStream().ReadAsync(buffer, deadline.Token) is var read and > 0)
            text += Encoding.UTF8.GetString(buffer, 0, read);
        return text;
    }

    /// <summary>
    /// Zeros. Sockets hold some of what is sent, but most of it must have reached the store: a server that collects the body
    /// first fails here.
    /// </summary>
    private sealed class WatchedSource(FileUploadTests test, int length) : MemoryStream
    {
        private const int InFlight = 48 * MiB;
        private int _given;

        public override bool CanSeek => false;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_given > InFlight && _given % MiB < buffer.Length)
                test.StoredBytes().ShouldBeGreaterThan(_given - InFlight);
            var part = Math.Min(buffer.Length, length - _given);
            buffer[..part].Span.Clear();
            _given += part;
            return ValueTask.FromResult(part);
        }
    }
}
