using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A database for servers with different keys, one after another, and access to the stored data.</summary>
internal sealed class EncryptionStack(TestDatabase database) : IAsyncDisposable
{
    private readonly Dictionary<string, string> _keys = new(StringComparer.Ordinal);

    public TestDatabase Database => database;

    public static async Task<EncryptionStack> CreateAsync(DatabaseProvider provider) => new(await TestDatabase.CreateAsync(provider));

    /// <summary>A server.</summary>
    /// <param name="active">The key for new data; null is none.</param>
    /// <param name="known">Ids of all its keys.</param>
    public async Task<TestHost> StartAsync(string? active, params string[] known)
    {
        var settings = new Dictionary<string, string?>
        {
            ["TaskQueue:Encryption:ActiveKeyId"] = active, ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true",
            ["TaskQueue:Bella:Dialect"] = "bella", // an invalid line must not fail the batch
            ["Logging:LogLevel:Default"] = "None",
        };
        for (var i = 0; i < known.Length; i++)
        {
            settings[$"TaskQueue:Encryption:Keys:{i}:Id"] = known[i];
            settings[$"TaskQueue:Encryption:Keys:{i}:Key"] = KeyOf(known[i]);
        }

        return await TestHost.StartAsync(database.ConnectionString, settings: settings);
    }

    /// <summary>Gives an id another key.</summary>
    public void Exchange(string id) => _keys[id] = NewKey();

    /// <summary>Where a text is stored in plain text: tables and columns of the database, and files.</summary>
    public async Task<List<string>> FindAsync(string text)
    {
        var found = new List<string>();
        if (database.Address.Provider == DatabaseProvider.Postgres)
            found.AddRange(await FindInPostgresAsync(text));
        else
            found.AddRange(FindInFiles(text));
        return found;
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var db = database.CreateContext();
        await db.Database.ExecuteSqlRawAsync(sql);
    }

    /// <summary>A column of a task as it is stored.</summary>
    public async Task<string?> StoredAsync(Guid task, string column)
    {
        await using var db = database.CreateContext();
        await db.Database.OpenConnectionAsync();
        await using var command = db.Database.GetDbConnection().CreateCommand();
        command.CommandText = $"select {column} from tasks where upper(cast(id as varchar(36))) = '{task.ToString().ToUpperInvariant()}'";
        return await command.ExecuteScalarAsync() as string;
    }

    public ValueTask DisposeAsync() => database.DisposeAsync();

    private string KeyOf(string id) => _keys.TryGetValue(id, out var key) ? key : _keys[id] = NewKey();

    private static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    private async Task<List<string>> FindInPostgresAsync(string text)
    {
        await using var source = NpgsqlDataSource.Create(database.ConnectionString);
        var columns = new List<(string Table, string Column, string Type)>();
        await using (var command = source.CreateCommand("select table_name, column_name, data_type from information_schema.columns where "
            + "table_schema = 'public' and data_type in ('text', 'character varying', 'bytea', 'jsonb', 'json', 'ARRAY')"))
        {
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
                columns.Add((reader.GetString(0), reader.GetString(1), reader.GetString(2)));
        }

        var found = new List<string>();
        foreach (var (table, column, type) in columns)
        {
            var where = type == "bytea" ? $"position(convert_to($1, 'UTF8') in \"{column}\") > 0"
                : $"position($1 in \"{column}\"::text) > 0";
            await using var command = source.CreateCommand($"select count(*) from \"{table}\" where {where}");
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = text });
            if (Convert.ToInt64(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture) > 0)
                found.Add($"{table}.{column}");
        }

        return found;
    }

    private List<string> FindInFiles(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var file = new Microsoft.Data.Sqlite.SqliteConnectionStringBuilder(database.ConnectionString).DataSource;
        IEnumerable<string> files =
            [file, $"{file}-wal", .. Directory.Exists(database.Folder) ? Directory.EnumerateFiles(database.Folder) : []];
        return [.. files.Where(File.Exists).Where(f => Read(f).AsSpan().IndexOf(bytes) >= 0)];
    }

    /// <summary>Works while SQLite has it open.</summary>
    private static byte[] Read(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }
}
