using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Encryption;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Auth;

/// <summary>Table <c>session_keys</c> in EF Core.</summary>
internal sealed class SessionKeyStore(IDbContextFactory<TaskDbContext> databases, DataCipher cipher) : ISessionKeyStore
{
    public bool IsEncrypted => cipher.Active is not null;

    public IReadOnlyList<SessionKey> List()
    {
        using var db = databases.CreateDbContext();
        var keys = db.SessionKeys.AsNoTracking().OrderBy(k => k.Number).ToList();
        foreach (var key in keys)
        {
            try
            {
                if (DataCipher.IsMarked(key.Text))
                    db.Open(key);
                else
                    key.Text = ""; // whoever has read it could forge sessions
            }
            catch (UnreadableDataException)
            {
                key.Text = ""; // its sessions have ended
            }
        }

        return keys;
    }

    public bool TryAdd(SessionKey key)
    {
        using var db = databases.CreateDbContext();
        db.SessionKeys.Add(key);
        try
        {
            db.SaveChanges();
            return true;
        }
        catch (DbUpdateException)
        {
            using var other = databases.CreateDbContext();
            if (other.SessionKeys.Any(k => k.Number == key.Number))
                return false;
            throw;
        }
    }
}
